#pragma once

namespace bulkhead::base {

// Has large blocks given back to the kernel when they are freed. Without it glibc takes the largest
// block that it has seen freed for usual, and keeps so much from then on: after some ExecSync with
// much output a daemon would stay at hundreds of MiB. For a long-lived process, before its first
// thread.
void GiveFreedMemoryBack();

}  // namespace bulkhead::base
