#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "security/profile.h"

namespace bulkhead::security {

// Values for {root_dir} and {run_dir} in paths. Workers get none: their paths are fixed.
struct Places {
  std::string root_dir;
  std::string run_dir;
};

// Confines the calling process to its profile: the first statement of every main. New pid and user
// namespaces came with Spawn (spawn.h); this takes the rest, in this order: fds, limits, the other
// namespaces, file system view, bounding set, ids, capabilities, no_new_privs, Landlock, seccomp.
// Ends the process on any failure: fail closed.
//
// For View::kDirFds, Landlock is already in force where the table has directory rows: nothing but
// them can be reached.
void EnterOrDie(const Profile& profile, const Places& places = {});

// For a worker that has used up its power: takes bounding set, ids, process attributes and filter
// of a kind without capabilities, whose table allows nothing that its own does not. Namespaces,
// file system view and limits stay those that it entered. Within a user namespace, the ids are that
// one's. Ends the process on any failure.
void BecomeOrDie(const Profile& profile);

// For View::kDirFds: from now on only what lies below these directories can be reached. Once,
// before a byte of untrusted input is read. Where the kernel has no Landlock: a warning, and the
// uid and the empty root remain.
absl::Status ConfineToDirectories(absl::Span<const int> directories, Access access);
// The same where some are to be read alone.
absl::Status ConfineToDirectories(absl::Span<const int> read, absl::Span<const int> read_write);

}  // namespace bulkhead::security
