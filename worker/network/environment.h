#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/worker/network.capnp.h"

namespace bulkhead::network {

// Whether each field of the job that becomes part of a plugin's environment is a word that can be
// no more than a value there, and each directory is a clean absolute path without ':'.
// INVALID_ARGUMENT names the field.
absl::Status CheckJob(schema::NetworkJob::Reader job);

// The path of the pod's pinned network namespace, or empty where it is gone, which only DEL may be
// told. run: fd of <run_dir>. FAILED_PRECONDITION: there is none, and the command needs one.
absl::StatusOr<std::string> NamespacePath(schema::NetworkJob::Reader job, int run,
                                          schema::NetworkRequest::Command command);

// All that a plugin gets to see, as "NAME=value". Nothing of our own environment is in it (V26).
std::vector<std::string> PluginEnvironment(schema::NetworkJob::Reader job,
                                           schema::NetworkRequest::Command command,
                                           const std::string& namespace_path);

// "ADD" and so on; nullptr for a number that is no command.
const char* CommandName(schema::NetworkRequest::Command command);

}  // namespace bulkhead::network
