#include "base/allocator.h"

#include <malloc.h>

namespace bulkhead::base {
namespace {

// An allocation of this size is a mapping of its own.
constexpr int kLargeBytes = 256 << 10;

}  // namespace

void GiveFreedMemoryBack() {
  mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  mallopt(M_TRIM_THRESHOLD, kLargeBytes);
}

}  // namespace bulkhead::base
