#include "worker/stats/job.h"

#include "base/clean_path.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/stats/cgroup.h"
#include "worker/stats/network.h"

namespace bulkhead::stats {
namespace {

constexpr unsigned kMaxCgroups = 1024;

absl::Status CheckPaths(capnp::List<capnp::Text>::Reader paths, unsigned most) {
  if (paths.size() > most) return absl::InvalidArgumentError("stats: too many cgroups");
  for (const auto path : paths) {
    if (!base::IsCleanAbsolutePath(path.cStr())) {
      return absl::InvalidArgumentError("cgroup: not a clean absolute path");
    }
  }
  return absl::OkStatus();
}

void OpenProcesses(capnp::List<capnp::Text>::Reader paths, CgroupReader& reader,
                   std::vector<base::UniqueFd>& opened, schema::StatsResult::Builder result) {
  std::vector<unsigned> which;
  for (unsigned i = 0; i < paths.size(); ++i) {
    base::UniqueFd list = reader.OpenProcesses(paths[i].cStr());
    if (!list) continue;
    opened.push_back(std::move(list));
    which.push_back(i);
  }
  auto out = result.initOpened(static_cast<unsigned>(which.size()));
  for (unsigned i = 0; i < which.size(); ++i) out.set(i, which[i]);
}

absl::Status Run(schema::StatsJob::Reader job, const std::vector<base::UniqueFd>& sockets, int root,
                 std::vector<base::UniqueFd>& opened, schema::StatsResult::Builder result) {
  const auto paths = job.getCgroups();
  BULKHEAD_RETURN_IF_ERROR(CheckPaths(paths, kMaxCgroups));
  BULKHEAD_RETURN_IF_ERROR(CheckPaths(job.getProcessesOf(), ipc::kMaxFds));
  const bool v2 = job.getCgroupMode() == schema::Host::CgroupMode::V2;
  const std::unique_ptr<CgroupReader> reader = v2 ? MakeV2Reader(root) : MakeV1Reader(root);
  auto usages = result.initCgroups(paths.size());
  for (unsigned i = 0; i < paths.size(); ++i) reader->Read(paths[i].cStr(), usages[i]);
  auto networks = result.initNetworks(static_cast<unsigned>(sockets.size()));
  for (unsigned i = 0; i < sockets.size(); ++i) ReadNetwork(sockets[i].get(), networks[i]);
  OpenProcesses(job.getProcessesOf(), *reader, opened, result);
  return absl::OkStatus();
}

}  // namespace

worker::JobResult RunStatsJob(schema::StatsJob::Reader job, std::vector<base::UniqueFd> fds,
                              int cgroups, schema::StatsResult::Builder result) {
  worker::JobResult out;
  ipc::WriteStatus(Run(job, fds, cgroups, out.fds, result), result.initStatus());
  return out;
}

}  // namespace bulkhead::stats
