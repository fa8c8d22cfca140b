#pragma once

#include "absl/status/status.h"
#include "schema/cdi.capnp.h"
#include "schema/seccomp.capnp.h"

// What a parser without power made of files of the node, checked again before it goes where power
// is: broker and launch both ask.
namespace bulkhead::validate {

// INVALID_ARGUMENT: a name that is none, a value out of range, a list that is too long.
absl::Status CheckSeccompFilter(schema::SeccompFilter::Reader filter);

// The same; FAILED_PRECONDITION: a hook whose program is not among allowed_hooks.
absl::Status CheckCdiEdits(schema::CdiEdits::Reader edits,
                           capnp::List<capnp::Text>::Reader allowed_hooks);
// Parts of it, as launch gets them.
absl::Status CheckCdiDevice(schema::CdiEdits::DeviceNode::Reader device);
absl::Status CheckCdiHook(schema::CdiEdits::Hook::Reader hook);

}  // namespace bulkhead::validate
