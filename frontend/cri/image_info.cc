#include <openssl/sha.h>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/info.h"

namespace bulkhead::frontend {
namespace {

using nlohmann::json;

json Texts(capnp::List<capnp::Text>::Reader in) {
  json out = json::array();
  for (const auto text : in) out.push_back(String(text));
  return out;
}

std::string DigestText(absl::string_view bytes) {
  return absl::StrCat("sha256:", base::ToHex(bytes));
}

// Of each layer with all below it (OCI image-spec, config, "Layer ChainID"): the lowest is its own
// diffID.
json ChainIds(capnp::List<schema::Digest>::Reader diff_ids) {
  json out = json::array();
  std::string chain;
  for (const auto diff_id : diff_ids) {
    std::string own = DigestText(String(diff_id.getBytes()));
    if (!chain.empty()) {
      std::string both = absl::StrCat(chain, " ", own), hash(SHA256_DIGEST_LENGTH, '\0');
      SHA256(reinterpret_cast<const unsigned char*>(both.data()), both.size(),
             reinterpret_cast<unsigned char*>(hash.data()));
      own = DigestText(hash);
    }
    chain = own;
    out.push_back(std::move(own));
  }
  return out;
}

// What we know of the configuration, for when the document itself is too large to be shown.
json KnownSpec(schema::ImageConfig::Reader in) {
  json config = {{"Entrypoint", Texts(in.getEntrypoint())},
                 {"Cmd", Texts(in.getCmd())},
                 {"WorkingDir", String(in.getWorkingDir())},
                 {"User", String(in.getUser())},
                 {"StopSignal", String(in.getStopSignal())},
                 {"Env", json::array()},
                 {"Labels", json::object()},
                 {"Volumes", json::object()}};
  for (const auto env : in.getEnv()) {
    config["Env"].push_back(absl::StrCat(String(env.getKey()), "=", String(env.getValue())));
  }
  for (const auto label : in.getLabels()) {
    config["Labels"][String(label.getKey())] = String(label.getValue());
  }
  for (const auto volume : in.getVolumes()) config["Volumes"][String(volume)] = json::object();
  json diff_ids = json::array();
  for (const auto digest : in.getDiffIds()) {
    diff_ids.push_back(DigestText(String(digest.getBytes())));
  }
  return {{"os", String(in.getOs())},
          {"architecture", String(in.getArchitecture())},
          {"variant", String(in.getVariant())},
          {"config", std::move(config)},
          {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}}};
}

json Signatures(schema::Image::Reader image) {
  json out = json::array();
  for (const auto evidence : image.getEvidence()) {
    out.push_back({{"repository", String(evidence.getRepository())},
                   {"digest", DigestText(String(evidence.getDigest().getBytes()))},
                   {"signatures", evidence.getSignatures().size()},
                   {"policy", base::ToHex(String(evidence.getPolicyHash()))}});
  }
  return out;
}

}  // namespace

std::string ImageInfo(schema::Image::Reader image, const std::string& config,
                      const std::string& manifest) {
  json chain = ChainIds(image.getConfig().getDiffIds());
  const bool has_manifest = image.getManifest().getBytes().size() > 0;
  json info = {
      {"chainID", chain.empty() ? json("") : chain.back()},
      {"chainIDs", chain},
      {"manifestDigest", has_manifest ? DigestText(String(image.getManifest().getBytes())) : ""},
      {"signatures", Signatures(image)}};
  // The documents are passed on as they are. They were looked at by others when they came; here
  // only that they are JSON still counts, as the answer would be none otherwise.
  std::string spec = json::accept(config) ? config : InfoText(KnownSpec(image.getConfig()));
  std::string text = InfoText(info);
  text.pop_back();
  absl::StrAppend(&text, ",\"imageSpec\":", spec);
  if (json::accept(manifest)) absl::StrAppend(&text, ",\"manifest\":", manifest);
  return text + "}";
}

}  // namespace bulkhead::frontend
