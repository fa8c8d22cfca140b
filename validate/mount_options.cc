#include "validate/mount_options.h"

#include <sys/mount.h>

#include <algorithm>

namespace bulkhead::validate {
namespace {

struct Option {
  const char* word;
  uint64_t attribute;
};
constexpr Option kOptions[] = {
    {"ro", MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME},
};
constexpr absl::string_view kWithoutEffect[] = {"rw",        "suid",     "dev",  "exec",
                                                "symfollow", "relatime", "bind", "rbind",
                                                "private",   "rprivate", ""};

}  // namespace

bool AddMountOption(absl::string_view word, uint64_t* attributes) {
  for (const Option& option : kOptions) {
    if (option.word != word) continue;
    *attributes |= option.attribute;
    return true;
  }
  return std::find(std::begin(kWithoutEffect), std::end(kWithoutEffect), word) !=
         std::end(kWithoutEffect);
}

uint64_t KnownMountOptions() {
  uint64_t all = 0;
  for (const Option& option : kOptions) all |= option.attribute;
  return all;
}

bool AreMountOptions(uint64_t attributes) {
  constexpr uint64_t kBoth = MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME;
  return (attributes & ~KnownMountOptions()) == 0 && (attributes & kBoth) != kBoth;
}

std::vector<const char*> MountOptionWords(uint64_t attributes) {
  std::vector<const char*> words;
  for (const Option& option : kOptions) {
    if ((attributes & option.attribute) != 0) words.push_back(option.word);
  }
  return words;
}

}  // namespace bulkhead::validate
