#pragma once

#include <string>

namespace bulkhead::lxc {

// "liblxc 5.0.2", and 5.
std::string LibraryVersion();
int LibraryMajor();

}  // namespace bulkhead::lxc
