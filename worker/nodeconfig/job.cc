#include "worker/nodeconfig/job.h"

#include <string>

#include "absl/strings/match.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "worker/nodeconfig/cdi_devices.h"
#include "worker/nodeconfig/seccomp_profile.h"
#include "worker/nodeconfig/yaml.h"

namespace bulkhead::worker {
namespace {

absl::Status ParseSeccomp(schema::NodeconfigJob::Seccomp::Reader job, int fd,
                          schema::NodeconfigResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(fd, kMaxConfigBytes));
  const SeccompFacts facts = {.capabilities = job.getCapabilities(),
                              .architecture = job.getArchitecture().cStr(),
                              .kernel = job.getKernel().cStr()};
  return ParseSeccompProfile(text, facts, result.initSeccomp());
}

absl::StatusOr<CdiSpec> ReadSpec(int fd, const std::string& name) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(fd, kMaxConfigBytes));
  absl::StatusOr<Json> document =
      absl::EndsWith(name, ".yaml") ? ParseYaml(text) : ParseStrictJson(text);
  if (!document.ok()) return document.status();
  return ParseCdiSpec(*document);
}

// A spec that cannot be read costs its own devices alone; that they are missing then names it.
absl::Status ParseCdi(schema::NodeconfigJob::Cdi::Reader job,
                      const std::vector<base::UniqueFd>& fds,
                      schema::NodeconfigResult::Builder result) {
  if (fds.size() != job.getFiles().size()) {
    return absl::InvalidArgumentError("nodeconfig job: not one fd a file");
  }
  CdiRegistry registry;
  for (unsigned i = 0; i < fds.size(); ++i) {
    const std::string name = job.getFiles()[i].getName().cStr();
    absl::StatusOr<CdiSpec> spec = ReadSpec(fds[i].get(), name);
    if (spec.ok()) {
      registry.Add(*std::move(spec), job.getFiles()[i].getDirectory());
    } else {
      registry.AddBroken(name, spec.status());
    }
  }
  std::vector<std::string> wanted;
  for (const auto device : job.getDevices()) wanted.emplace_back(device.cStr());
  return registry.Resolve(wanted, result.initCdi());
}

}  // namespace

absl::Status RunNodeconfigJob(schema::NodeconfigJob::Reader job,
                              const std::vector<base::UniqueFd>& fds,
                              schema::NodeconfigResult::Builder result) {
  switch (job.which()) {
    case schema::NodeconfigJob::SECCOMP:
      if (fds.size() != 1) return absl::InvalidArgumentError("nodeconfig job: needs one fd");
      return ParseSeccomp(job.getSeccomp(), fds[0].get(), result);
    case schema::NodeconfigJob::CDI:
      return ParseCdi(job.getCdi(), fds, result);
  }
  return absl::InvalidArgumentError("nodeconfig: unknown job");
}

}  // namespace bulkhead::worker
