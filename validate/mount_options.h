#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Options of mounts as CRI (Mount.mount_options) and CDI (containerEdits.mounts) name them, carried
// as MOUNT_ATTR_* of mount_setattr(2). None of them can give more than the mount that they are
// about has: they only take away.
namespace bulkhead::validate {

// "nosuid", "nodev", "noexec", "nosymfollow", "noatime", "relatime", "nodiratime", "strictatime"
// set bits in *attributes; "ro" is one of them. "rw", "suid", "dev", "exec", "symfollow", "bind",
// "rbind" and "private" say what is so anyhow. False: another word.
bool AddMountOption(absl::string_view word, uint64_t* attributes);

// Every bit that AddMountOption can set.
uint64_t KnownMountOptions();

// Whether the bits of the time of access make sense together: at most one of noatime, strictatime.
bool AreMountOptions(uint64_t attributes);

// The words of these bits, for a runtime.
std::vector<const char*> MountOptionWords(uint64_t attributes);

}  // namespace bulkhead::validate
