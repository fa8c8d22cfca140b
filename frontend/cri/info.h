#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/pod.capnp.h"

// The free-form part of verbose answers: JSON for people and for crictl. Nothing of it is a
// promise.
namespace bulkhead::frontend {

// Bytes that are not UTF-8 are replaced, since the answer must be.
std::string InfoText(const nlohmann::json& info);

// network_result: JSON, or empty.
std::string PodInfo(schema::Pod::Reader pod, capnp::Data::Reader network_result);
std::string ContainerInfo(schema::Container::Reader container);
std::string ImageInfo(schema::Image::Reader image);

}  // namespace bulkhead::frontend
