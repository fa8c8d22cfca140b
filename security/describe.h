#pragma once

#include <string>

#include "security/profile.h"

namespace bulkhead::security {

// The profile tables as text, or as Markdown tables for documents: process, user, capabilities with
// reasons, namespaces, paths, descriptors, limits, number of system calls. verbose: every row of
// system calls with its reason as well.
std::string DescribeProfiles(bool verbose, bool markdown);

// One row of system calls: "fcntl [arg 1 & 0xffffffff = 0x3]", "clone3 -> ENOSYS".
std::string CallText(const Syscall& row);

}  // namespace bulkhead::security
