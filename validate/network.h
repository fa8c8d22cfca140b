#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/config.capnp.h"
#include "schema/pod.capnp.h"

namespace bulkhead::validate {

// What a pod says about its network in annotations. 0 or empty: nothing.
struct NetworkWishes {
  uint64_t ingress_bits_per_second = 0;
  uint64_t egress_bits_per_second = 0;
  std::vector<std::string> ips;  // addresses with or without prefix length
  std::string mac;
};

// kubernetes.io/ingress-bandwidth and egress-bandwidth, quantities from 1k to 1P bits per second,
// and the annotations that the node's configuration names for addresses (separated by commas) and
// for the hardware address. INVALID_ARGUMENT names config.annotations[key].
absl::StatusOr<NetworkWishes> ReadNetworkWishes(schema::PodConfig::Reader pod,
                                                schema::Config::Reader node);

// The subnets of a node's pods, separated by commas: at most two, of different families.
// INVALID_ARGUMENT names field.
absl::StatusOr<std::vector<std::string>> ReadPodCidr(absl::string_view field,
                                                     absl::string_view text);

// A number as Kubernetes writes quantities ("10M", "1.5Gi", "1e6"), rounded up. False: it is none,
// or over 1e18.
bool ParseQuantity(absl::string_view text, uint64_t* value);

}  // namespace bulkhead::validate
