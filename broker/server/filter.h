#pragma once

#include "broker/state/state.h"

namespace bulkhead::broker {

// Whether a thing passes a list's filter: all that is set must hold.
bool Matches(const PodObject& pod, schema::PodFilter::Reader filter);
bool Matches(const ContainerObject& container, schema::ContainerFilter::Reader filter);

}  // namespace bulkhead::broker
