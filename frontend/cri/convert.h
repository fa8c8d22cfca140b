#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cri/v1/api.pb.h"
#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/pod.capnp.h"

// Between the messages of CRI and the typed form that the broker takes. To: what the schema cannot
// carry is refused with INVALID_ARGUMENT, or UNIMPLEMENTED where a later version brings it, and the
// error names the field; nothing is dropped without a comment that says why nothing is lost. From:
// never fails.
namespace bulkhead::frontend {

namespace v1 = ::runtime::v1;

// Converts and checks (validate/pod.h).
absl::Status ToPodConfig(const v1::PodSandboxConfig& in, const std::string& handler,
                         schema::PodConfig::Builder out);
// The names under which the store knows the images of a request (image_name.h).
struct StoreNames {
  std::string image;
  std::map<int, std::string> mounts;  // by index, of each mount that has an image
};
// Converts and checks (validate/container.h).
absl::Status ToContainerConfig(const v1::ContainerConfig& in, const StoreNames& names,
                               schema::ContainerConfig::Builder out);

// Parts of the two above. field: the CRI name of in.
absl::Status ToNamespaceMode(absl::string_view field, v1::NamespaceMode in,
                             schema::NamespaceMode* out);
absl::Status ToUserNamespace(absl::string_view field, const v1::NamespaceOption& in,
                             schema::NamespaceMode* out, schema::IdMapping::Builder mapping);
using IdMappings = google::protobuf::RepeatedPtrField<v1::IDMapping>;
// One mapping from id 0 on, for uids and gids alike; none at all: out stays as it is.
absl::Status ToIdMapping(const std::string& uids_field, const IdMappings& uids,
                         const std::string& gids_field, const IdMappings& gids,
                         schema::IdMapping::Builder out);
void ToResources(const v1::LinuxContainerResources& in, schema::Resources::Builder out);
absl::Status ToSecurityContext(const v1::LinuxContainerSecurityContext& in,
                               schema::SecurityContext::Builder out);
// For pods, which have no process: refuses what only a node with AppArmor or SELinux could do; "no
// confinement" and "the default" are fine.
absl::Status CheckAppArmor(absl::string_view field, bool given, const v1::SecurityProfile& in);
absl::Status CheckSelinux(absl::string_view field, const v1::SELinuxOption& in);

void FromPod(schema::Pod::Reader in, v1::PodSandbox* out);
void FromPodStatus(schema::Pod::Reader in, v1::PodSandboxStatus* out);
void FromContainer(schema::Container::Reader in, v1::Container* out);
// image: of the container, or empty where it has been removed.
void FromContainerStatus(schema::Container::Reader in, schema::Image::Reader image,
                         v1::ContainerStatus* out);
void FromImage(schema::Image::Reader in, v1::Image* out);
void FromResources(schema::Resources::Reader in, v1::LinuxContainerResources* out);

// CRI counts signals in its own order. 0 and SIGNAL_RUNTIME_DEFAULT: the image's.
absl::Status ToSignal(absl::string_view field, v1::Signal in, int* out);
v1::Signal FromSignal(int number);

}  // namespace bulkhead::frontend
