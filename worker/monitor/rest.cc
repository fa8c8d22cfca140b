#include "worker/monitor/rest.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>

namespace bulkhead::monitor {
namespace {

constexpr uintptr_t kPage = 4096;

// Only what can never have been written to: a page that was (relocations, data) would be lost.
int DropReadOnly(dl_phdr_info* info, size_t, void*) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (info->dlpi_addr + segment.p_vaddr) & ~(kPage - 1);
    const uintptr_t end = (info->dlpi_addr + segment.p_vaddr + segment.p_filesz) & ~(kPage - 1);
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void GiveBackMemory() {
  malloc_trim(0);
  dl_iterate_phdr(DropReadOnly, nullptr);
}

}  // namespace bulkhead::monitor
