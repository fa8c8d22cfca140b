#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/config.capnp.h"
#include "schema/pod.capnp.h"
#include "schema/seccomp.capnp.h"

namespace bulkhead::broker {

struct RuntimeChoice {
  std::string name;
  std::string path;
  std::string rule;  // "handler", "default", or "image rule 'lxc/*' (preset lxc)": what chose it
  bool lxc = false;
  bool needs_user_namespace = false;
};

// Names by which an image rule may know the image of a container.
struct ImageNamesForRules {
  std::string user_specified;  // as the pod's author wrote it; may be empty
  std::vector<std::string>
      tags;  // the image's own, normalised; only where the former is empty or says nothing
};

// The pod's handler, else the runtime of the first image rule that matches, else the default; never
// a fallback, and never by an annotation. INVALID_ARGUMENT: no such handler; FAILED_PRECONDITION:
// its program is missing; UNIMPLEMENTED: its type.
absl::StatusOr<RuntimeChoice> ChooseRuntime(schema::Config::Reader node, absl::string_view handler,
                                            const ImageNamesForRules& image);

// Whether a pod may be made that names this handler (empty: any may).
absl::Status CheckHandler(schema::Config::Reader node, absl::string_view handler);

// FAILED_PRECONDITION: the filter has a flag of which the runtime says that it does not know it.
absl::Status CheckRuntimeKnows(schema::Config::Reader node, absl::string_view runtime,
                               schema::SeccompFilter::Reader filter);

// Whether a pod with this handler gets a user namespace though it asks for none.
bool HandlerNeedsUserNamespace(schema::Config::Reader node, absl::string_view handler);
// FAILED_PRECONDITION: the runtime runs in pods with a user namespace only, and this is none.
absl::Status CheckUserNamespace(const RuntimeChoice& choice, schema::Pod::Reader pod);

}  // namespace bulkhead::broker
