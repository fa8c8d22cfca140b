#pragma once

#include <sys/types.h>

#include <cstddef>

#include "base/unique_fd.h"

// What the monitor asks of the kernel, in one call each.
namespace bulkhead::monitor {

// Whether this process can wait for it, ended or not.
bool IsChild(pid_t pid);
// Whether who connected has this uid; another one is logged.
bool IsFromUid(int socket, uid_t uid);
// Of wait(2), as shells tell it: 128 and the signal where one ended the process.
int ExitCode(int wait_status);
// Whether the counter of OOM kills at this file of a cgroup is above 0. A cgroup that is gone has
// no say.
bool SawOomKill(int memory_events);
// A plain file, open for appending.
bool IsLogFile(int fd);
// Ends of children become readable events; signals that ask a process to end do nothing. Empty:
// errno says why.
base::UniqueFd WatchSignals();

}  // namespace bulkhead::monitor
