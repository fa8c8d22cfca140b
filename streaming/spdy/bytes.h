#pragma once

#include <endian.h>

#include <cstdint>
#include <cstring>
#include <string>

// Numbers as SPDY has them, in network order.
namespace bulkhead::streaming::spdy {

inline uint16_t Load16(const char* bytes) {
  uint16_t value;
  memcpy(&value, bytes, sizeof(value));
  return be16toh(value);
}

inline uint32_t Load32(const char* bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof(value));
  return be32toh(value);
}

inline void Append16(std::string* out, uint16_t value) {
  value = htobe16(value);
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

inline void Append32(std::string* out, uint32_t value) {
  value = htobe32(value);
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace bulkhead::streaming::spdy
