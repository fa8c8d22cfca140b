#pragma once

#include <string>

namespace bulkhead::security {

// The profile tables as text, or as Markdown tables for documents: process, user, capabilities with reasons, namespaces,
// paths, descriptors, limits, number of system calls. verbose: every row of system calls with its reason as well.
std::string DescribeProfiles(bool verbose, bool markdown);

}  // namespace bulkhead::security
