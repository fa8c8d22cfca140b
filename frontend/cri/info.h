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
// specification: its config.json, or empty.
std::string ContainerInfo(schema::Container::Reader container, capnp::Data::Reader specification);
// The names in it are those that containerd and crictl use: chainID, imageSpec. config, manifest:
// the documents as they came, or empty; what is no JSON is left out.
std::string ImageInfo(schema::Image::Reader image, const std::string& config,
                      const std::string& manifest);

}  // namespace bulkhead::frontend
