#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/cgroup.h"
#include "worker/container/runtime.h"
#include "worker/lxc/attach.h"

namespace bulkhead::lxc {

// Containers made by liblxc, in processes that are forked here.
class LxcRuntime : public container::Runtime {
 public:
  // FAILED_PRECONDITION: not with this node's cgroups.
  static absl::StatusOr<std::unique_ptr<container::Runtime>> Open(schema::LaunchJob::Reader job,
                                                                  const container::Place& place);

  absl::StatusOr<Made> Create(const Creation& creation) override;
  absl::Status Start() override;
  absl::Status Settle() override;
  void Kill() override;
  absl::Status Delete(bool force) override;
  absl::StatusOr<container::Run> Exec(schema::Process::Reader process, uint64_t mark,
                                      const container::Streams& streams) override;
  absl::StatusOr<pid_t> ExecDetached(schema::Process::Reader process,
                                     const container::Streams& streams,
                                     const std::string& console) override;

 private:
  LxcRuntime(container::Place place, base::CgroupMode mode)
      : place_(std::move(place)), mode_(mode) {}
  absl::Status WriteFiles(const Creation& creation, const std::string& cgroup);
  // Waits until the container is at its gate; its first process.
  absl::StatusOr<pid_t> AwaitGate(container::Run& keeper, int ready);
  absl::Status TakeBack(const std::string& cgroup);
  absl::StatusOr<AttachJob> PrepareAttach(schema::Process::Reader process,
                                          const container::Streams& streams);
  // What the library said last, for people.
  std::string LastWords() const;

  const container::Place place_;
  const base::CgroupMode mode_;
};

}  // namespace bulkhead::lxc
