#pragma once

#include "security/profile.h"

// The named groups of system calls. No other group exists; all else stands in a kind's own table.
namespace bulkhead::security {

// What any C++ program does between main and exit: memory without execution, time, one thread's
// waiting, stderr, exit. Refuses quietly what libraries try in vain.
extern const SyscallSet kRuntimeSet;
// Frames over a connected socket, and the care of descriptors.
extern const SyscallSet kSocketSet;
// Reading and writing a file or pipe that is open already.
extern const SyscallSet kFileSet;
// Opening, listing and looking at files below the root or a directory descriptor.
extern const SyscallSet kTreeSet;
// Narrowing oneself further by Landlock.
extern const SyscallSet kConfineSet;
// epoll and its companions, accepting connections.
extern const SyscallSet kEventLoopSet;
// Threads of this process, made by pthread_create.
extern const SyscallSet kThreadSet;

// Arguments that several tables name.
inline constexpr uint64_t kAllBits = ~0ull;
inline constexpr uint64_t kLow32 =
    0xffffffffull;  // of an int argument, whose upper half is not read

}  // namespace bulkhead::security
