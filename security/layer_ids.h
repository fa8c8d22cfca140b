#pragma once

#include <cstdint>

namespace bulkhead::security {

// Layers lie on disk with every owner moved up by this much, so that no file of an image is ever
// set-user-ID root on the node (V11). The mount worker's id-mapped view moves them back.
inline constexpr uint32_t kLayerIdShift = 0x80000000u;
inline constexpr uint32_t kLayerIdCount = 0x7ffffffeu;
// The broker's uid and gid inside the unpack worker's user namespace.
inline constexpr uint32_t kLayerBrokerInnerId = 0x7ffffffeu;

}  // namespace bulkhead::security
