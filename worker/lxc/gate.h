#pragma once

#include <string>

namespace bulkhead::lxc {

// Names in the bundle: pipes by which a container that is made waits for its start.
inline constexpr char kReadyPipe[] = "lxc.ready";  // the gate says the first process's number
inline constexpr char kGatePipe[] = "lxc.gate";    // one byte lets it go

// What liblxc runs when a container is complete but for its program (hook start-host). Waits until
// somebody writes to the bundle's gate. The exit code: not 0 ends the container instead.
int RunGate(const std::string& bundle);

}  // namespace bulkhead::lxc
