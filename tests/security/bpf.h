#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <vector>

namespace bulkhead::security {

// Runs a seccomp filter in user space, as the kernel would: returns SECCOMP_RET_*. Ends the test
// program at an instruction that libseccomp does not write.
uint32_t Evaluate(const std::vector<sock_filter>& program, const seccomp_data& data);

}  // namespace bulkhead::security
