#include "worker/network/job.h"

#include <string>

#include "base/clean_path.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "worker/network/config_files.h"
#include "worker/network/environment.h"
#include "worker/network/plugin_file.h"
#include "worker/network/run_program.h"

namespace bulkhead::network {
namespace {

using Job = schema::NetworkJob::Reader;

constexpr size_t kMaxInputBytes = 256 << 10;
constexpr size_t kMaxRequestBytes = kMaxInputBytes + (4 << 10);
// Every plugin of every configuration file asked for its version, or a chain forth and back; a peer
// that wants more is broken.
constexpr int kMaxRequests = 640;
constexpr absl::Duration kSendPatience = absl::Seconds(30);

absl::StatusOr<Ended> RunPlugin(Job job, int run, schema::NetworkRequest::Reader request) {
  const auto input = request.getStdin();
  if (CommandName(request.getCommand()) == nullptr) {
    return absl::InvalidArgumentError("command: unknown");
  }
  if (input.size() > kMaxInputBytes) return absl::InvalidArgumentError("stdin: over 256 KiB");
  std::vector<std::string> dirs;
  for (const auto dir : job.getBinDirs()) dirs.emplace_back(dir.cStr());
  const auto name = request.getPlugin();
  BULKHEAD_ASSIGN_OR_RETURN(PluginFile file,
                            OpenPlugin(dirs, std::string(name.begin(), name.size())));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string ns, NamespacePath(job, run, request.getCommand()));
  const Program program = {
      file.fd.get(), file.path, PluginEnvironment(job, request.getCommand(), ns),
      absl::string_view(reinterpret_cast<const char*>(input.begin()), input.size())};
  return RunProgram(program, base::Deadline::After(absl::Milliseconds(job.getPluginTimeoutMs())));
}

void LogFailure(Job job, schema::NetworkRequest::Reader request, const Ended& ended) {
  if (ended.exit_code == 0) return;
  base::Log(base::Severity::kWarning, "plugin failed",
            {{"pod", job.getPodId().cStr()},
             {"plugin", request.getPlugin().cStr()},
             {"command", CommandName(request.getCommand())},
             {"exit", ended.exit_code},
             {"stderr", ended.error}});
}

void Answer(Job job, int run, schema::NetworkRequest::Reader request,
            schema::NetworkReply::Builder reply) {
  absl::StatusOr<Ended> ended = RunPlugin(job, run, request);
  ipc::WriteStatus(ended.status(), reply.initStatus());
  if (!ended.ok()) return;
  LogFailure(job, request, *ended);
  reply.setExitCode(ended->exit_code);
  reply.setStdout(
      kj::arrayPtr(reinterpret_cast<const kj::byte*>(ended->output.data()), ended->output.size()));
}

// UNAVAILABLE: the peer is gone, which is the end.
absl::Status ServeOne(Job job, int run, int socket) {
  BULKHEAD_ASSIGN_OR_RETURN(
      ipc::Received request,
      ipc::Receive(socket, {.max_bytes = kMaxRequestBytes, .max_fds = 0}, base::Deadline::Never()));
  capnp::MallocMessageBuilder message;
  BULKHEAD_RETURN_IF_ERROR(ipc::Guarded([&] {
    Answer(job, run, request.As<schema::NetworkRequest>(),
           message.initRoot<schema::NetworkReply>());
  }));
  return ipc::Send(socket, message, {}, base::Deadline::After(kSendPatience));
}

absl::Status Serve(Job job, const std::vector<base::UniqueFd>& fds, int run) {
  if (fds.size() != 1) return absl::InvalidArgumentError("network job: needs one fd");
  BULKHEAD_RETURN_IF_ERROR(CheckJob(job));
  for (int i = 0; i < kMaxRequests; ++i) {
    const absl::Status served = ServeOne(job, run, fds[0].get());
    if (absl::IsUnavailable(served)) return absl::OkStatus();
    BULKHEAD_RETURN_IF_ERROR(served);
  }
  return absl::ResourceExhaustedError("network job: too many requests");
}

absl::StatusOr<ConfigFiles> ReadDirectory(Job job, const std::vector<base::UniqueFd>& fds) {
  const absl::string_view dir(job.getConfDir().begin(), job.getConfDir().size());
  if (!fds.empty()) return absl::InvalidArgumentError("network job: confDir takes no fd");
  if (!base::IsCleanAbsolutePath(dir)) {
    return absl::InvalidArgumentError("confDir: not a clean absolute path");
  }
  return OpenConfigFiles(std::string(dir));
}

}  // namespace

std::vector<base::UniqueFd> RunNetworkJob(Job job, std::vector<base::UniqueFd> fds, int run,
                                          schema::NetworkResult::Builder result) {
  if (job.getConfDir().size() == 0) {
    ipc::WriteStatus(Serve(job, fds, run), result.initStatus());
    return {};
  }
  absl::StatusOr<ConfigFiles> files = ReadDirectory(job, fds);
  ipc::WriteStatus(files.status(), result.initStatus());
  if (!files.ok()) return {};
  auto names = result.initFileNames(static_cast<unsigned>(files->names.size()));
  for (unsigned i = 0; i < names.size(); ++i) names.set(i, files->names[i]);
  return std::move(files->fds);
}

}  // namespace bulkhead::network
