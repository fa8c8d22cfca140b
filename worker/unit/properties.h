#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/resources.capnp.h"

namespace bulkhead::unit {

// One property of a unit: a number, or, where bytes are there, a bit mask with bit n in byte n / 8.
struct Property {
  const char* name;
  uint64_t number = 0;
  std::vector<uint8_t> bytes = {};
};

inline constexpr uint64_t kNoLimit = UINT64_MAX;

// systemd.resource-control(5) for these resources. 0 and empty: nothing. What systemd has no
// property for (huge pages, files of cgroup v2) is not here.
std::vector<Property> Properties(schema::Resources::Reader resources, bool v2);

// "0-2,9" is {0x07, 0x02}; empty where it is no list of numbers and ranges up to 8191.
std::vector<uint8_t> BitsOfList(const std::string& list);

}  // namespace bulkhead::unit
