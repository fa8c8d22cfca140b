#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

// <run_dir>/pods/<pod id>: what a pod is made of, as names that outlive every process.
namespace bulkhead::sandbox {

inline constexpr char kNetworkPin[] = "net";
inline constexpr char kIpcPin[] = "ipc";
inline constexpr char kUtsPin[] = "uts";
inline constexpr char kUserPin[] = "user";
// Maps what layers have on disk to what the pod's user namespace has.
inline constexpr char kLayerIdsPin[] = "layer-ids";
inline constexpr char kShmMount[] = "shm";
inline constexpr char kResolvConf[] = "resolv.conf";
inline constexpr char kHostname[] = "hostname";

// Makes the empty directory and returns it. run: fd of <run_dir>. ALREADY_EXISTS where there is
// one.
absl::StatusOr<base::UniqueFd> MakePodDirectory(int run, const std::string& pod_id);

// Unmounts the pins and deletes the directory, whatever is left of it; success where there is
// nothing.
absl::Status RemovePodDirectory(int run, const std::string& pod_id);

// One of the pins, to enter it or to hand it on. INVALID_ARGUMENT: not an id. NOT_FOUND: no such
// pin.
absl::StatusOr<base::UniqueFd> OpenPin(int run, const std::string& pod_id, const char* name);

// An empty file of the directory, to mount on.
absl::StatusOr<base::UniqueFd> MakeMountPoint(int pod, const char* name);

}  // namespace bulkhead::sandbox
