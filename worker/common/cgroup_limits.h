#pragma once

#include <string>
#include <vector>

#include "schema/resources.capnp.h"

namespace bulkhead::cgroup {

// One value for one file of a cgroup.
struct Limit {
  const char* field;       // of CRI's LinuxContainerResources, for messages
  std::string controller;  // v1: the hierarchy; v2: what must be enabled
  std::string file;
  std::string value;
  // Kernels without it run containers without it, as at their creation.
  bool optional = false;
};

// What the kernel's files are to say for these resources; 0 and empty say nothing. memory plus swap
// of CRI becomes swap alone on v2, where it needs the memory limit beside it.
std::vector<Limit> LimitsV1(schema::Resources::Reader resources);
std::vector<Limit> LimitsV2(schema::Resources::Reader resources);

}  // namespace bulkhead::cgroup
