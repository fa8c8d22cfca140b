#include "broker/operations/store_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/hash_content.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/operations/list_directory.h"
#include "broker/operations/quarantine.h"
#include "broker/operations/store_repair.h"

namespace bulkhead::broker {
namespace {

using Kind = schema::CheckFinding::Kind;

// One walk over the store. What it looks at may be removed meanwhile: only what is still recorded
// after a look counts.
class Checker {
 public:
  Checker(Fiber& fiber, Broker& broker) : fiber_(fiber), broker_(broker) {}

  absl::StatusOr<CheckReport> Run() {
    std::vector<std::string> ids, layers;
    for (const auto& [id, image] : broker_.state.images()) ids.push_back(id);
    for (const auto& [hex, layer] : broker_.state.layers()) layers.push_back(hex);
    for (const std::string& id : ids) CheckImage(id);
    for (const std::string& hex : layers) CheckLayer(hex);
    CheckTags();
    BULKHEAD_RETURN_IF_ERROR(CheckLeftovers());
    return std::move(report_);
  }

 private:
  void Add(Kind kind, const std::string& object, absl::string_view problem) {
    report_.findings.push_back({.kind = kind, .object = object, .problem = std::string(problem)});
  }
  bool HasImage(const std::string& id) const { return broker_.state.images().contains(id); }

  // Opens blob <hex>; reports it where that fails.
  base::UniqueFd OpenBlob(const std::string& hex, Document* document) {
    ++report_.blobs;
    auto file = base::OpenAt(broker_.directories.blobs.get(), hex, O_RDONLY,
                             base::Resolve::kBeneathNoSymlinks);
    struct stat st;
    if (!file.ok() || fstat(file->get(), &st) != 0) {
      Add(Kind::BLOB, hex, "is missing");
      return {};
    }
    *document = {
        .fd = file->get(), .size = static_cast<uint64_t>(st.st_size), .digest = base::FromHex(hex)};
    report_.bytes += document->size;
    return *std::move(file);
  }

  std::optional<Record<schema::ManifestResult>> Parse(const std::string& hex,
                                                      schema::ManifestJob::Kind kind) {
    Document document;
    base::UniqueFd file = OpenBlob(hex, &document);
    if (!file) return std::nullopt;
    auto parsed = ParseDocument(fiber_, broker_, document, kind);
    if (parsed.ok()) return *std::move(parsed);
    Add(Kind::BLOB, hex, parsed.status().message());
    return std::nullopt;
  }

  void CheckImage(const std::string& id) {
    auto found = broker_.state.images().find(id);
    if (found == broker_.state.images().end()) return;
    Record<schema::Image> record(found->second.read());
    ++report_.images;
    size_t before = report_.findings.size();
    CheckConfig(id, record.read());
    CheckManifest(id, record.read());
    CheckEvidence(record.read());
    CheckLayerBlobs(record.read());
    CheckLayersOf(id, record.read());
    if (!HasImage(id)) report_.findings.resize(before);
  }

  void CheckConfig(const std::string& id, schema::Image::Reader image) {
    auto parsed =
        Parse(std::string(absl::StripPrefix(id, "sha256:")), schema::ManifestJob::Kind::CONFIG);
    if (!parsed.has_value()) return;
    Record<schema::ImageConfig> fresh(parsed->read().getConfig()), kept(image.getConfig());
    if (fresh.Serialize() != kept.Serialize()) {
      Add(Kind::IMAGE, id, "the record is not what its configuration says");
    }
  }

  void CheckManifest(const std::string& id, schema::Image::Reader image) {
    std::string hex = base::ToHex(DigestBytes(image.getManifest()));
    if (hex.empty()) return;
    auto parsed = Parse(hex, schema::ManifestJob::Kind::MANIFEST_OR_INDEX);
    if (!parsed.has_value()) return;
    auto manifest = parsed->read().getManifest();
    if (!parsed->read().isManifest() ||
        DigestText(DigestBytes(manifest.getConfig().getDigest())) != id ||
        manifest.getLayers().size() != image.getConfig().getDiffIds().size()) {
      Add(Kind::IMAGE, id, "the manifest is another image's");
    }
  }

  void CheckEvidence(schema::Image::Reader image) {
    for (auto evidence : image.getEvidence()) {
      for (auto signature : evidence.getSignatures()) {
        CheckBlob(base::ToHex(DigestBytes(signature.getPayload().getDigest())));
      }
    }
  }

  void CheckLayerBlobs(schema::Image::Reader image) {
    for (auto layer : image.getLayerBlobs()) {
      std::string hex = base::ToHex(DigestBytes(layer));
      if (!seen_blobs_.insert(hex).second) continue;  // another image's as well
      CheckBlob(hex);
    }
  }

  void CheckBlob(const std::string& hex) {
    Document document;
    base::UniqueFd file = OpenBlob(hex, &document);
    if (!file) return;
    auto digest = HashFile(fiber_, broker_, file.get());
    if (!digest.ok()) Add(Kind::BLOB, hex, digest.status().message());
    if (digest.ok() && *digest != document.digest) Add(Kind::BLOB, hex, "is damaged");
  }

  void CheckLayersOf(const std::string& id, schema::Image::Reader image) {
    for (auto diff_id : image.getConfig().getDiffIds()) {
      std::string hex = base::ToHex(DigestBytes(diff_id));
      if (!broker_.state.layers().contains(hex)) {
        Add(Kind::IMAGE, id, absl::StrCat("its layer ", hex, " is not there"));
      }
    }
  }

  void CheckLayer(const std::string& hex) {
    if (!broker_.state.layers().contains(hex)) return;
    ++report_.layers;
    auto hashed = HashLayer(fiber_, broker_, hex);
    auto layer = broker_.state.layers().find(hex);
    if (layer == broker_.state.layers().end()) return;
    if (!hashed.ok()) {
      broker_.state.MarkLayerDamaged(hex);
      return Add(Kind::LAYER, hex, hashed.status().message());
    }
    report_.bytes += hashed->bytes;
    if (layer->second.seal.empty()) {
      SealLayer(broker_, hex, hashed->digest);
    } else if (layer->second.seal != hashed->digest) {
      broker_.state.MarkLayerDamaged(hex);
      Add(Kind::LAYER, hex, "is not what was unpacked: its files have changed");
    }
  }

  void CheckTags() {
    std::set<std::string> seen;
    for (const auto& [id, image] : broker_.state.images()) {
      for (auto tag : image.read().getRepoTags()) {
        if (!seen.insert(tag.cStr()).second) {
          Add(Kind::IMAGE, id, absl::StrCat("another image has the tag ", tag.cStr(), " as well"));
        }
      }
    }
  }

  absl::Status CheckLeftovers() {
    if (broker_.layer_pins > 0) return absl::OkStatus();  // a pull's, perhaps
    std::set<std::string> blobs = BlobsInUse(broker_.state);
    BULKHEAD_ASSIGN_OR_RETURN(auto names, ListDirectory(broker_.directories.blobs.get()));
    for (const std::string& name : names) {
      if (!blobs.contains(name)) Leftover(name);
    }
    BULKHEAD_ASSIGN_OR_RETURN(names, ListDirectory(broker_.directories.layers.get()));
    for (const std::string& name : names) {
      if (!broker_.state.layers().contains(name.substr(0, name.find('.')))) Leftover(name);
    }
    return absl::OkStatus();
  }
  void Leftover(const std::string& name) {
    Add(Kind::LEFTOVER, name,
        IsQuarantined(name) ? "was put aside by an earlier repair; bulkhead image prune deletes it"
                            : "belongs to no image");
  }

  Fiber& fiber_;
  Broker& broker_;
  CheckReport report_;
  std::set<std::string> seen_blobs_;
};

}  // namespace

absl::StatusOr<CheckReport> CheckStore(Fiber& fiber, Broker& broker, Repair repair) {
  if (broker.checking) return absl::UnavailableError("check: another one is under way");
  broker.checking = true;
  absl::StatusOr<CheckReport> report = Checker(fiber, broker).Run();
  if (report.ok() && repair == Repair::kYes) RepairStore(fiber, broker, &*report);
  broker.checking = false;
  if (!report.ok()) return report;
  for (const CheckFinding& finding : report->findings) {
    if (finding.kind == Kind::LEFTOVER) continue;
    base::Log(base::Severity::kError, "the store is damaged",
              {{"object", finding.object}, {"what", finding.problem}, {"repair", finding.repair}});
  }
  return report;
}

}  // namespace bulkhead::broker
