#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "schema/worker/stats.capnp.h"

namespace bulkhead::stats {

// Reads the counters of cgroups, of one version each (Linux, Documentation/admin-guide/cgroup-v1
// and cgroup-v2.rst).
class CgroupReader {
 public:
  virtual ~CgroupReader() = default;
  // path: clean, absolute, below the hierarchies. What cannot be read stays -1.
  virtual void Read(const std::string& path, schema::CgroupUsage::Builder usage) = 0;
  // Its cgroup.procs, to be read by whoever sees the processes. None where it cannot be opened.
  virtual base::UniqueFd OpenProcesses(const std::string& path) = 0;
};

// root: fd of the cgroup mount, the caller's, which outlives the reader.
std::unique_ptr<CgroupReader> MakeV1Reader(int root);
std::unique_ptr<CgroupReader> MakeV2Reader(int root);

}  // namespace bulkhead::stats
