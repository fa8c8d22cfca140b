#pragma once

#include <cstdint>
#include <string>

// Reads an EROFS image as the kernel does and ends the process where anything in it is not as the
// kernel wants it.
namespace bulkhead::fuzz {

struct ImageFacts {
  uint64_t directories = 0;
  uint64_t names = 0;  // but for . and ..
  uint64_t file_bytes = 0;
};

ImageFacts CheckImage(const std::string& image);

}  // namespace bulkhead::fuzz
