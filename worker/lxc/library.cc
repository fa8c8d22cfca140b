#include "worker/lxc/library.h"

#include <lxc/lxccontainer.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::lxc {

std::string LibraryVersion() { return absl::StrCat("liblxc ", lxc_get_version()); }

int LibraryMajor() {
  int major = 0;
  const std::string version = lxc_get_version();
  return absl::SimpleAtoi(version.substr(0, version.find('.')), &major) ? major : 0;
}

}  // namespace bulkhead::lxc
