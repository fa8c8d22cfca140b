#pragma once

#include <array>
#include <vector>

#include "security/profile.h"

namespace bulkhead::security {

// One thing that most tables forbid, tried by bulkhead-probe in a process of its own.
struct Attempt {
  const char* name;
  // Tries it with harmless arguments. 0, or an errno; only those of refusal (IsRefusal) count as
  // refused, others mean that the kernel went as far as looking at the arguments.
  int (*run)();
  // The call and arguments by which the table decides; number -1: none.
  int number;
  std::array<uint64_t, 6> arguments;
  // What beside the filter must hold: the node's file tree is visible
  // (and a descriptor of a directory of it is held), or a capability is held.
  enum class Needs { kNothing, kHostView, kHostDirectory, kHostOrListed, kNever, kSysAdmin } needs;
};

const std::vector<Attempt>& Attempts();

// Errnos by which the kernel says no, as opposed to "the arguments are wrong".
bool IsRefusal(int error);

// An abstract socket of the node's network namespace on which the test listens.
inline constexpr char kAbstractName[] = "bulkhead-probe-test";

// Exit codes of bulkhead-probe.
inline constexpr int kSucceeded = 10;
inline constexpr int kRefused = 11;
inline constexpr int kBadUse = 12;

}  // namespace bulkhead::security
