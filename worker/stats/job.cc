#include "worker/stats/job.h"

#include "base/clean_path.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/stats/cgroup.h"
#include "worker/stats/network.h"

namespace bulkhead::stats {
namespace {

constexpr unsigned kMaxCgroups = 1024;

absl::Status Run(schema::StatsJob::Reader job, const std::vector<base::UniqueFd>& sockets, int root,
                 schema::StatsResult::Builder result) {
  const auto paths = job.getCgroups();
  if (paths.size() > kMaxCgroups) return absl::InvalidArgumentError("stats: too many cgroups");
  for (const auto path : paths) {
    if (!base::IsCleanAbsolutePath(path.cStr())) {
      return absl::InvalidArgumentError("cgroup: not a clean absolute path");
    }
  }
  const bool v2 = job.getCgroupMode() == schema::Host::CgroupMode::V2;
  const std::unique_ptr<CgroupReader> reader = v2 ? MakeV2Reader(root) : MakeV1Reader(root);
  auto usages = result.initCgroups(paths.size());
  for (unsigned i = 0; i < paths.size(); ++i) reader->Read(paths[i].cStr(), usages[i]);
  auto networks = result.initNetworks(static_cast<unsigned>(sockets.size()));
  for (unsigned i = 0; i < sockets.size(); ++i) ReadNetwork(sockets[i].get(), networks[i]);
  return absl::OkStatus();
}

}  // namespace

worker::JobResult RunStatsJob(schema::StatsJob::Reader job, std::vector<base::UniqueFd> fds,
                              int cgroups, schema::StatsResult::Builder result) {
  ipc::WriteStatus(Run(job, fds, cgroups, result), result.initStatus());
  return {};
}

}  // namespace bulkhead::stats
