#include "worker/launch/oci_runtime.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/status.h"
#include "worker/container/policy.h"
#include "worker/container/facts.h"

namespace bulkhead::launch {
namespace {

using base::Deadline;
using base::UniqueFd;
using container::PathForChildren;
using container::Place;
using container::ReadBundleFile;
using container::Run;
using container::Streams;

constexpr absl::Duration kCreatePatience = absl::Seconds(60);
constexpr absl::Duration kStartPatience = absl::Seconds(30);
constexpr absl::Duration kDeletePatience = absl::Seconds(30);
constexpr char kPidFile[] = "pid";

absl::Status CheckProgram(const std::string& path) {
  if (!base::IsCleanAbsolutePath(path)) {
    return absl::InvalidArgumentError("runtime path: not a clean absolute path");
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd,
                            base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("runtime ", path, ": not a file that root alone can write"));
  }
  return absl::OkStatus();
}

// The process as the runtime reads it, in a file without a name.
absl::StatusOr<UniqueFd> ProcessFile(schema::Process::Reader process, const Place& place,
                                     uint64_t mark) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string json,
                            container::ProcessJson(process, container::ProcessFacts(place), mark));
  UniqueFd fd(memfd_create("process", MFD_CLOEXEC));
  if (!fd) return base::ErrnoStatus("memfd");
  BULKHEAD_RETURN_IF_ERROR(base::WriteAll(fd.get(), json));
  return fd;
}

void AddConsole(const std::string& console, std::vector<std::string>* arguments) {
  if (console.empty()) return;
  arguments->insert(arguments->end(), {"--console-socket", console});
}

absl::StatusOr<pid_t> ReadPid(const Place& place, const std::string& file, const char* what) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, ReadBundleFile(place, file));
  pid_t pid = -1;
  if (absl::SimpleAtoi(text, &pid) && pid > 1) return pid;
  return absl::InternalError(absl::StrCat(what, ": the runtime wrote no pid"));
}

}  // namespace

OciRuntime::OciRuntime(std::string path, bool systemd, Place place)
    : path_(std::move(path)), systemd_(systemd), place_(std::move(place)) {}

absl::StatusOr<std::unique_ptr<container::Runtime>> OciRuntime::Open(schema::LaunchJob::Reader job,
                                                                     const Place& place) {
  BULKHEAD_RETURN_IF_ERROR(container::CheckRuntime(job, place.run));
  const std::string path = job.getRuntimePath();
  BULKHEAD_RETURN_IF_ERROR(CheckProgram(path));
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(place.run, place.runtime_name, 0700));
  const bool systemd = job.getCgroupDriver() == schema::Host::CgroupDriver::SYSTEMD;
  return std::unique_ptr<container::Runtime>(new OciRuntime(path, systemd, place));
}

absl::StatusOr<Run> OciRuntime::Start(const std::vector<std::string>& arguments,
                                      const Streams& streams) const {
  UniqueFd log(memfd_create("runtime-log", MFD_CLOEXEC));
  if (!log) return base::ErrnoStatus("memfd for the runtime's log");
  std::vector<std::string> all = {path_, "--root", place_.state_root, "--log",
                                  PathForChildren(log.get())};
  if (systemd_) all.push_back("--systemd-cgroup");
  all.insert(all.end(), arguments.begin(), arguments.end());
  BULKHEAD_ASSIGN_OR_RETURN(const pid_t pid, container::SpawnProgram(all, streams));
  return Run::Of(pid, std::move(log));
}

absl::Status OciRuntime::Call(const std::vector<std::string>& arguments,
                              absl::Duration patience) const {
  BULKHEAD_ASSIGN_OR_RETURN(Run run, Start(arguments, {}));
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(Deadline::After(patience)));
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(arguments[0], ": ", run.Complaint()));
}

// The runtime's end leaves the first process to this one, the subreaper.
absl::StatusOr<container::Runtime::Made> OciRuntime::Create(const Creation& creation) {
  std::vector<std::string> arguments = {"create", "--bundle", place_.bundle, "--pid-file",
                                        absl::StrCat(place_.bundle, "/", kPidFile)};
  AddConsole(creation.console, &arguments);
  arguments.push_back(place_.container_id);
  BULKHEAD_ASSIGN_OR_RETURN(Run run, Start(arguments, creation.streams));
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(Deadline::After(kCreatePatience)));
  if (code != 0) {
    return absl::FailedPreconditionError(absl::StrCat("create container: ", run.Complaint()));
  }
  BULKHEAD_ASSIGN_OR_RETURN(const pid_t pid, ReadPid(place_, kPidFile, "create container"));
  return Made{.first = pid, .child = pid};
}

absl::Status OciRuntime::Start() { return Call({"start", place_.container_id}, kStartPatience); }

void OciRuntime::Kill() {
  Call({"kill", place_.container_id, "KILL"}, kDeletePatience).IgnoreError();
}

absl::Status OciRuntime::Delete(bool force) {
  // Without force first, as it has ended already but for accidents: runc waits 100 ms with it.
  if (!force && Call({"delete", place_.container_id}, kDeletePatience).ok()) {
    return absl::OkStatus();
  }
  return Call({"delete", "--force", place_.container_id}, kDeletePatience);
}

absl::StatusOr<Run> OciRuntime::Exec(schema::Process::Reader process, uint64_t mark,
                                     const Streams& streams) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd file, ProcessFile(process, place_, mark));
  // The runtime has read it before it runs the command, but nobody tells when that is.
  process_file_ = std::move(file);
  return Start({"exec", "--process", PathForChildren(process_file_.get()), place_.container_id},
               streams);
}

// The runtime ends when the command runs, which makes it this process's child.
absl::StatusOr<pid_t> OciRuntime::ExecDetached(schema::Process::Reader process,
                                               const Streams& streams, const std::string& console) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd file, ProcessFile(process, place_, 0));
  const std::string pid_file = absl::StrCat("exec-", getpid());
  const std::string pid_path = absl::StrCat(place_.bundle, "/", pid_file);
  absl::Cleanup unlink_pid = [&pid_path] { unlink(pid_path.c_str()); };
  std::vector<std::string> arguments = {
      "exec", "--detach", "--process", PathForChildren(file.get()), "--pid-file", pid_path};
  AddConsole(console, &arguments);
  arguments.push_back(place_.container_id);
  BULKHEAD_ASSIGN_OR_RETURN(Run run, Start(arguments, streams));
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(Deadline::After(kStartPatience)));
  if (code != 0) return absl::FailedPreconditionError(absl::StrCat("exec: ", run.Complaint()));
  return ReadPid(place_, pid_file, "exec");
}

}  // namespace bulkhead::launch
