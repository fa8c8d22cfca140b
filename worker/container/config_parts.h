#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "worker/container/config.h"

// The parts that ConfigJson puts together.
namespace bulkhead::container {

absl::StatusOr<nlohmann::json> ProcessObject(schema::Process::Reader process, const Facts& facts);
absl::StatusOr<nlohmann::json> MountsArray(schema::ContainerSpec::Reader spec, const Facts& facts);
// With rootfsPropagation, which follows from the mounts.
absl::StatusOr<nlohmann::json> LinuxObject(schema::ContainerSpec::Reader spec, const Facts& facts);
nlohmann::json ResourcesObject(schema::ContainerSpec::Reader spec, const Facts& facts);

// A seccomp profile of the node; hooks of CDI devices. INVALID_ARGUMENT: what no checked one can
// be.
absl::StatusOr<nlohmann::json> SeccompObject(schema::SeccompFilter::Reader filter);
absl::StatusOr<nlohmann::json> HooksObject(capnp::List<schema::CdiEdits::Hook>::Reader hooks);

// The text of a field, which must not be empty or hold a NUL byte.
absl::StatusOr<std::string> TextOf(const char* field, capnp::Text::Reader text);

}  // namespace bulkhead::container
