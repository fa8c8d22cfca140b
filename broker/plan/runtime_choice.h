#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/config.capnp.h"
#include "schema/seccomp.capnp.h"

namespace bulkhead::broker {

struct RuntimeChoice {
  std::string name;
  std::string path;
  std::string rule;  // "handler", "default", or "image rule 'lxc/*' (preset lxc)": what chose it
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

// What image rules look at: "docker.io/library/nginx:1" is "nginx:1" and "nginx";
// "quay.io/lxc/app@sha256:..." is "quay.io/lxc/app". Empty where text is no reference (an image
// id).
std::vector<std::string> RuleNames(absl::string_view text);

}  // namespace bulkhead::broker
