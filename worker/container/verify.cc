#include "worker/container/verify.h"

#include <sys/stat.h>

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::container {
namespace {

constexpr char kFile[] = "promise";
constexpr size_t kMaxStatusBytes = 64 << 10;

using Fields = std::map<std::string, std::string>;

Fields Parse(absl::string_view text) {
  Fields fields;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    fields.emplace(pair.first, absl::StripAsciiWhitespace(pair.second));
  }
  return fields;
}

bool IsInCgroup(pid_t pid, const std::string& container_id) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/cgroup"), kMaxStatusBytes);
  return text.ok() && absl::StrContains(*text, container_id);
}

absl::Status Missing(absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("the runtime did not apply ", what));
}

// Whether the set is there and holds nothing but what is allowed.
bool Within(Fields& fields, const char* name, uint64_t allowed) {
  uint64_t set = 0;
  return absl::SimpleHexAtoi(fields[name], &set) && (set & ~allowed) == 0;
}

// Before its program is executed a process may still need some to become what it shall be; what it
// can never have again is settled by then.
absl::Status CheckCapabilities(Fields& fields, const Promise& promise, bool started) {
  if (!Within(fields, "CapBnd", promise.bounding)) return Missing("the capabilities");
  if (!started) return absl::OkStatus();
  for (const char* name : {"CapPrm", "CapEff"}) {
    if (!Within(fields, name, promise.bounding)) return Missing("the capabilities");
  }
  for (const char* name : {"CapInh", "CapAmb"}) {
    if (!Within(fields, name, promise.ambient)) return Missing("the capabilities");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ComparePromise(const Promise& promise, absl::string_view status, bool started) {
  Fields fields = Parse(status);
  // A process that has ended, but was not waited for yet, has lost what is compared here.
  if (fields["State"].empty() || fields["State"][0] == 'Z' || fields["State"][0] == 'X') {
    return absl::NotFoundError("the container's process has ended");
  }
  BULKHEAD_RETURN_IF_ERROR(CheckCapabilities(fields, promise, started));
  const bool visible = started || !promise.no_new_privs;
  if (promise.no_new_privs && started && fields["NoNewPrivs"] != "1") {
    return Missing("no_new_privs");
  }
  if (promise.seccomp && visible && fields["Seccomp"] != "2") return Missing("the seccomp filter");
  return absl::OkStatus();
}

absl::Status CheckPromise(const Promise& promise, const std::string& container_id, bool started) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", promise.pid, "/status"), kMaxStatusBytes);
  // ESRCH while reading, ENOENT at the open.
  if (!text.ok()) return absl::NotFoundError("the container's process has ended");
  const absl::Status compared = ComparePromise(promise, *text, started);
  if (absl::IsNotFound(compared)) return compared;
  if (!IsInCgroup(promise.pid, container_id)) return Missing("the cgroup");
  return compared;
}

bool HasSettled(absl::string_view status) {
  Fields fields = Parse(status);
  uint64_t caught = 0;
  if (absl::SimpleHexAtoi(fields["SigCgt"], &caught) && caught != 0) return true;
  return fields["State"].empty() || !absl::StrContains("RD", fields["State"][0]);
}

bool HasSettled(pid_t pid) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/status"), kMaxStatusBytes);
  return !text.ok() || HasSettled(*text);
}

absl::StatusOr<uint64_t> InodeOfProgram(pid_t pid) {
  struct stat st;
  if (stat(absl::StrCat("/proc/", pid, "/exe").c_str(), &st) == 0) return st.st_ino;
  return absl::NotFoundError("the container's process has ended");
}

absl::Status CheckIdMapping(pid_t pid, schema::IdMapping::Reader mapping) {
  const std::string expected = absl::StrCat("0 ", mapping.getHostId(), " ", mapping.getLength());
  for (const char* file : {"uid_map", "gid_map"}) {
    const absl::StatusOr<std::string> text =
        base::ReadFile(absl::StrCat("/proc/", pid, "/", file), kMaxStatusBytes);
    if (!text.ok()) return absl::NotFoundError("the container's process has ended");
    const std::vector<absl::string_view> numbers =
        absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
    if (absl::StrJoin(numbers, " ") != expected) return Missing("the user namespace");
  }
  return absl::OkStatus();
}

absl::Status SavePromise(const Place& place, const Promise& promise) {
  return WriteBundleFile(
      place, kFile,
      absl::StrCat(promise.pid, " ", promise.seccomp ? 1 : 0, " ", promise.no_new_privs ? 1 : 0,
                   " ", promise.bounding, " ", promise.ambient, " ", promise.runtime_inode));
}

absl::StatusOr<Promise> LoadPromise(const Place& place) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, ReadBundleFile(place, kFile));
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  Promise promise;
  if (parts.size() != 6 || !absl::SimpleAtoi(parts[0], &promise.pid) || promise.pid <= 0 ||
      !absl::SimpleAtoi(parts[3], &promise.bounding) ||
      !absl::SimpleAtoi(parts[4], &promise.ambient) ||
      !absl::SimpleAtoi(parts[5], &promise.runtime_inode)) {
    return absl::DataLossError("bundle: its promise is damaged");
  }
  promise.seccomp = parts[1] == "1";
  promise.no_new_privs = parts[2] == "1";
  return promise;
}

}  // namespace bulkhead::container
