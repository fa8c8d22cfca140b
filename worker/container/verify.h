#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/pod.capnp.h"
#include "worker/container/place.h"

// What a container was promised, compared with what its process has: a runtime that answers success
// without having confined it must not get away with it (V24).
namespace bulkhead::container {

struct Promise {
  pid_t pid = -1;
  uint64_t runtime_inode = 0;  // of what it executes until it executes the container's program
  bool seccomp = false;
  bool no_new_privs = false;
  uint64_t bounding = 0;
  uint64_t ambient = 0;  // what may be in the ambient and inheritable sets
};

// status: the text of /proc/<pid>/status. The rest is as for CheckPromise.
absl::Status ComparePromise(const Promise& promise, absl::string_view status, bool started);

// FAILED_PRECONDITION names what is missing. NOT_FOUND: the process has ended. container_id: must
// be in its cgroup. With no_new_privs, runtimes set the filter last, just before they execute the
// program: seccomp counts only where started is set.
absl::Status CheckPromise(const Promise& promise, const std::string& container_id, bool started);

// Whether a process, whose /proc/<pid>/status is this text, has got to where it catches a signal or
// waits for something. True for one that has ended.
bool HasSettled(absl::string_view status);
bool HasSettled(pid_t pid);

// The inode of what it executes. NOT_FOUND: it has ended.
absl::StatusOr<uint64_t> InodeOfProgram(pid_t pid);

// Whether the process is in a user namespace with exactly this id mapping. FAILED_PRECONDITION: it
// is not.
absl::Status CheckIdMapping(pid_t pid, schema::IdMapping::Reader mapping);

// Keeps it in the bundle, from create to start.
absl::Status SavePromise(const Place& place, const Promise& promise);
absl::StatusOr<Promise> LoadPromise(const Place& place);

}  // namespace bulkhead::container
