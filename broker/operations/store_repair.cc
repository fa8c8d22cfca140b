#include "broker/operations/store_repair.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/fetch.h"
#include "broker/operations/hash_content.h"
#include "broker/operations/image.h"
#include "broker/operations/kept_blob.h"
#include "broker/operations/layer.h"
#include "broker/operations/layer_store.h"
#include "broker/operations/quarantine.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

using Kind = schema::CheckFinding::Kind;

constexpr uint64_t kMaxBlobBytes = uint64_t{64} << 30;

bool Uses(schema::Image::Reader image, const CheckFinding& finding) {
  if (finding.kind == Kind::IMAGE) return finding.object == image.getId().cStr();
  std::string bytes = base::FromHex(finding.object);
  if (finding.kind == Kind::LAYER) {
    for (auto diff_id : image.getConfig().getDiffIds()) {
      if (DigestBytes(diff_id) == bytes) return true;
    }
    return false;
  }
  if (absl::StripPrefix(image.getId().cStr(), "sha256:") == finding.object) return true;
  if (DigestBytes(image.getManifest()) == bytes) return true;
  for (auto layer : image.getLayerBlobs()) {
    if (DigestBytes(layer) == bytes) return true;
  }
  for (auto evidence : image.getEvidence()) {
    for (auto signature : evidence.getSignatures()) {
      if (DigestBytes(signature.getPayload().getDigest()) == bytes) return true;
    }
  }
  return false;
}

// A pull does not fetch what only an export needs, where the layer made of it is there.
absl::Status FetchLayerBlobs(Fiber& fiber, Broker& broker, schema::Image::Reader image,
                             schema::ImageReference::Reader reference) {
  Pull pull(reference);
  for (auto layer : image.getLayerBlobs()) {
    std::string digest = DigestBytes(layer);
    if (HasBlob(broker, digest)) continue;
    BULKHEAD_ASSIGN_OR_RETURN(
        auto files,
        Fetch(fiber, broker, pull,
              {{.what = Wanted::What::kBlob, .name = digest, .max_bytes = kMaxBlobBytes}}));
    BULKHEAD_ASSIGN_OR_RETURN(std::string hashed, HashFile(fiber, broker, files[0].fd.get()));
    if (hashed != digest) return absl::DataLossError("the registry has other bytes there");
    BULKHEAD_RETURN_IF_ERROR(files[0].name.Keep(broker, digest));
  }
  return absl::OkStatus();
}

bool HasLayerBlobs(Broker& broker, schema::Image::Reader image) {
  for (auto layer : image.getLayerBlobs()) {
    if (!HasBlob(broker, DigestBytes(layer))) return false;
  }
  return true;
}

bool HasDocuments(Broker& broker, schema::Image::Reader image) {
  std::string manifest = DigestBytes(image.getManifest());
  std::string config = base::FromHex(absl::StripPrefix(image.getId().cStr(), "sha256:"));
  if (!HasBlob(broker, config) || (!manifest.empty() && !HasBlob(broker, manifest))) return false;
  for (auto evidence : image.getEvidence()) {
    for (auto signature : evidence.getSignatures()) {
      if (!HasBlob(broker, DigestBytes(signature.getPayload().getDigest()))) return false;
    }
  }
  return true;
}

// The layers that are not there, from what was kept of them as they came. Their digests are checked
// like any others'.
absl::Status MakeAgain(Fiber& fiber, Broker& broker, schema::Image::Reader image) {
  std::vector<WantedLayer> wanted;
  std::vector<base::UniqueFd> files;
  for (unsigned i = 0; i < image.getConfig().getDiffIds().size(); ++i) {
    std::string diff_id = DigestBytes(image.getConfig().getDiffIds()[i]);
    if (broker.state.layers().contains(base::ToHex(diff_id))) continue;
    if (i >= image.getLayerBlobs().size()) return absl::NotFoundError("not all was kept");
    std::string digest = DigestBytes(image.getLayerBlobs()[i]);
    BULKHEAD_ASSIGN_OR_RETURN(files.emplace_back(),
                              base::OpenAt(broker.directories.blobs.get(), base::ToHex(digest),
                                           O_RDONLY, base::Resolve::kBeneathNoSymlinks));
    struct stat st;
    if (fstat(files.back().get(), &st) < 0) return base::ErrnoStatus("stat a blob");
    wanted.push_back({.source = {.fd = files.back().get(),
                                 .size = static_cast<uint64_t>(st.st_size),
                                 .digest = digest,
                                 .diff_id = diff_id}});
  }
  return EnsureLayers(fiber, broker, std::move(wanted));
}

// By one of the digests under which it came, so that it is the same image again whatever became of
// its tags.
absl::Status FetchAgain(Fiber& fiber, Broker& broker, const std::string& id) {
  Record<schema::Image> image(broker.state.images().at(id).read());
  absl::Status last = absl::NotFoundError("no registry is known that has it");
  for (auto name : image.read().getRepoDigests()) {
    Record<schema::ImageReference> reference;
    if (!validate::ParseReference("digest", name.cStr(), reference.edit()).ok()) continue;
    Record<schema::RegistryAuth> nobody;
    absl::StatusOr<std::string> fetched =
        fiber.Wait(JoinPull(broker, reference.read(), nobody.read()));
    last = fetched.status();
    if (fetched.ok() && *fetched == id) {
      return FetchLayerBlobs(fiber, broker, image.read(), reference.read());
    }
    if (fetched.ok()) last = absl::DataLossError("the registry has another image there");
  }
  return last;
}

absl::Status PutAside(Broker& broker, const CheckFinding& finding) {
  if (finding.kind == Kind::BLOB) return QuarantineBlob(broker, finding.object);
  if (finding.kind != Kind::LAYER) return absl::OkStatus();
  // The row first: what is put aside must not count.
  BULKHEAD_RETURN_IF_ERROR(broker.state.ForgetLayer(finding.object));
  return QuarantineLayer(broker, finding.object);
}

// An image that cannot be mended is forgotten: kubelet then sees that it has to pull it.
std::string Mend(Fiber& fiber, Broker& broker, const std::string& id, bool contradicts) {
  Record<schema::Image> image(broker.state.images().at(id).read());
  auto pinned = broker.PinLayers();
  absl::Status made = MakeAgain(fiber, broker, image.read());
  bool whole = made.ok() && !contradicts && HasDocuments(broker, image.read());
  if (whole && HasLayerBlobs(broker, image.read())) return "made again from what was kept";
  absl::Status fetched = FetchAgain(fiber, broker, id);
  if (fetched.ok()) return "fetched again";
  if (whole) {
    image.edit().initLayerBlobs(0);
    absl::Status saved = broker.state.SaveImage(std::move(image));
    return saved.ok() ? "the image can no longer be exported" : std::string(saved.message());
  }
  absl::Status forgotten = RemoveImage(fiber, broker, id);
  if (!forgotten.ok()) return absl::StrCat("could not be removed: ", forgotten.message());
  return absl::StrCat("image ", id, " was removed, pull or import it again (", fetched.message(),
                      ")");
}

// A blob has gone with CollectUnused.
absl::Status DeleteLeftover(Fiber& fiber, Broker& broker, const std::string& name) {
  if (broker.layer_pins > 0) return absl::UnavailableError("a pull is under way");
  if (base::IsId(name) && !broker.state.layers().contains(name)) {
    return RemoveLayerFiles(fiber, broker, name);
  }
  return absl::StartsWith(name, "tmp-") ? RemoveStaging(fiber, broker, name) : absl::OkStatus();
}

}  // namespace

void RepairStore(Fiber& fiber, Broker& broker, CheckReport* report) {
  std::map<std::string, std::string> images;  // affected, and what was done
  for (CheckFinding& finding : report->findings) {
    if (finding.kind == Kind::LEFTOVER) continue;
    for (const auto& [id, image] : broker.state.images()) {
      if (Uses(image.read(), finding)) images[id] = "";
    }
    absl::Status aside = PutAside(broker, finding);
    if (!aside.ok()) finding.repair = std::string(aside.message());
  }
  std::map<std::string, std::vector<CheckFinding*>> of_image;
  for (auto& [id, done] : images) {
    for (CheckFinding& finding : report->findings) {
      if (finding.kind != Kind::LEFTOVER && Uses(broker.state.images().at(id).read(), finding)) {
        of_image[id].push_back(&finding);
      }
    }
  }
  for (auto& [id, findings] : of_image) {
    bool contradicts = false;
    for (CheckFinding* finding : findings) contradicts |= finding->kind == Kind::IMAGE;
    std::string done =
        broker.state.images().contains(id) ? Mend(fiber, broker, id, contradicts) : "is gone";
    for (CheckFinding* finding : findings) {
      absl::StrAppend(&finding->repair, finding->repair.empty() ? "" : "; ", done);
      finding->repaired = true;
    }
  }
  CollectUnused(fiber, broker);
  for (CheckFinding& finding : report->findings) {
    if (finding.kind == Kind::LEFTOVER && !IsQuarantined(finding.object)) {
      absl::Status deleted = DeleteLeftover(fiber, broker, finding.object);
      finding.repair = deleted.ok() ? "deleted" : std::string(deleted.message());
      finding.repaired = deleted.ok();
    } else if (finding.kind == Kind::LAYER && !finding.repaired) {
      finding.repair = "put aside; no image needs it";
      finding.repaired = true;
    }
  }
}

}  // namespace bulkhead::broker
