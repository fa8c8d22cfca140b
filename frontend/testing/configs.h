#pragma once

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "frontend/cri/convert.h"

namespace bulkhead::frontend {

inline constexpr char kImage[] = "docker.io/library/busybox:1";
inline const std::string kId(64, 'a');
inline constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr absl::StatusCode kLater = absl::StatusCode::kUnimplemented;

// With every field that can be carried.
v1::PodSandboxConfig GoodPod();
v1::ContainerConfig GoodContainer();

// What the conversion says of them.
absl::Status ConvertPod(const v1::PodSandboxConfig& config, const std::string& handler = "");
absl::Status ConvertContainer(const v1::ContainerConfig& config);

// One change that makes a good request a bad one.
template <typename Config>
struct Bad {
  absl::StatusCode code;
  const char* field;
  std::function<void(Config&)> change;
};

// That it refuses with this code and begins with the field's name.
void Expect(const absl::Status& status, absl::StatusCode code, const std::string& field);

}  // namespace bulkhead::frontend
