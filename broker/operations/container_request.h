#pragma once

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "broker/plan/runtime_choice.h"

// What a request to create a container names, looked up in the broker's state. Nothing here waits.
namespace bulkhead::broker {

// The container's image. NOT_FOUND names the field whose image the node has not, those of mounts
// included.
absl::StatusOr<const Record<schema::Image>*> CheckImages(Broker& broker,
                                                         schema::ContainerConfig::Reader config);
// Which images the mounts show. After CheckImages, with no wait between.
void FillImageMounts(Broker& broker, schema::ContainerConfig::Reader config,
                     schema::Container::Builder record);

// INVALID_ARGUMENT where the caller means another pod than it names.
absl::Status CheckIdentity(schema::PodConfig::Reader pod, schema::PodIdentity::Reader meant);

// By the pod's handler, an image rule or the default; logged unless it is the default.
absl::StatusOr<RuntimeChoice> ChooseFor(Broker& broker, const PodObject& pod,
                                        schema::ContainerConfig::Reader config,
                                        schema::Image::Reader image);

}  // namespace bulkhead::broker
