#include "worker/export/layout_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

using nlohmann::json;

constexpr size_t kCopyBytes = 1 << 20;
constexpr size_t kMaxManifestBytes = 4 << 20;

struct FreeArchive {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

absl::Status ArchiveStatus(archive* a) {
  const char* text = archive_error_string(a);
  return base::ErrnoStatus(absl::StrCat("write the archive: ", text != nullptr ? text : "failed"),
                           archive_errno(a));
}

absl::StatusOr<uint64_t> SizeOf(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus("stat a blob");
  return static_cast<uint64_t>(st.st_size);
}

std::string Sha256Of(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

std::string DigestText(absl::string_view digest) {
  return absl::StrCat("sha256:", base::ToHex(digest));
}
std::string BlobPath(absl::string_view digest) {
  return absl::StrCat("blobs/sha256/", base::ToHex(digest));
}

json Descriptor(const char* type, absl::string_view digest, uint64_t size) {
  return {{"mediaType", type}, {"digest", DigestText(digest)}, {"size", size}};
}

// By its first bytes, as the image came without a manifest that says so.
absl::StatusOr<const char*> LayerType(int fd, uint64_t size) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string first, base::ReadAt(fd, 0, size < 4 ? size : 4));
  if (absl::StartsWith(first, "\x1f\x8b")) return "application/vnd.oci.image.layer.v1.tar+gzip";
  if (first == "\x28\xb5\x2f\xfd") return "application/vnd.oci.image.layer.v1.tar+zstd";
  return "application/vnd.oci.image.layer.v1.tar";
}

class LayoutWriter {
 public:
  LayoutWriter(int out, const ExportedImage& image) : out_(out), image_(image) {}

  absl::StatusOr<uint64_t> Write() {
    archive_.reset(archive_write_new());
    if (archive_ == nullptr || archive_write_set_format_pax_restricted(archive_.get()) != ARCHIVE_OK ||
        archive_write_add_filter_none(archive_.get()) != ARCHIVE_OK ||
        archive_write_open_fd(archive_.get(), out_) != ARCHIVE_OK) {
      return archive_ ? ArchiveStatus(archive_.get()) : absl::ResourceExhaustedError("no memory");
    }
    BULKHEAD_RETURN_IF_ERROR(AddText("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    for (const StoredBlob& blob : image_.blobs) BULKHEAD_RETURN_IF_ERROR(AddBlob(blob));
    BULKHEAD_RETURN_IF_ERROR(AddDocuments());
    if (archive_write_close(archive_.get()) != ARCHIVE_OK) return ArchiveStatus(archive_.get());
    return SizeOf(out_);
  }

 private:
  size_t first() const { return image_.has_manifest ? 1 : 0; }
  const StoredBlob& config() const { return image_.blobs[first()]; }

  absl::Status AddHeader(const std::string& path, uint64_t size) {
    std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    if (entry == nullptr) return absl::ResourceExhaustedError("no memory");
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_size(entry.get(), static_cast<int64_t>(size));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0444);
    archive_entry_set_mtime(entry.get(), 0, 0);  // the same image gives the same archive
    if (archive_write_header(archive_.get(), entry.get()) == ARCHIVE_OK) return absl::OkStatus();
    return ArchiveStatus(archive_.get());
  }

  absl::Status AddBytes(absl::string_view bytes) {
    la_ssize_t written = archive_write_data(archive_.get(), bytes.data(), bytes.size());
    if (written == static_cast<la_ssize_t>(bytes.size())) return absl::OkStatus();
    return ArchiveStatus(archive_.get());
  }

  absl::Status AddText(const std::string& path, const std::string& text) {
    BULKHEAD_RETURN_IF_ERROR(AddHeader(path, text.size()));
    return AddBytes(text);
  }

  // Several layers may be one blob (the empty one, mostly).
  absl::Status AddBlob(const StoredBlob& blob) {
    if (!written_.insert(blob.digest).second) return absl::OkStatus();
    BULKHEAD_ASSIGN_OR_RETURN(uint64_t size, SizeOf(blob.fd));
    BULKHEAD_RETURN_IF_ERROR(AddHeader(BlobPath(blob.digest), size));
    Sha256 hash;
    for (uint64_t at = 0; at < size;) {
      size_t part = std::min<uint64_t>(size - at, kCopyBytes);
      BULKHEAD_ASSIGN_OR_RETURN(std::string bytes, base::ReadAt(blob.fd, at, part));
      hash.Update(bytes);
      BULKHEAD_RETURN_IF_ERROR(AddBytes(bytes));
      at += part;
    }
    if (hash.Finish() == blob.digest) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("blob ", DigestText(blob.digest), " is damaged"));
  }

  absl::StatusOr<std::string> MakeManifest() {
    BULKHEAD_ASSIGN_OR_RETURN(uint64_t config_size, SizeOf(config().fd));
    json layers = json::array();
    for (size_t i = first() + 1; i < image_.blobs.size(); ++i) {
      BULKHEAD_ASSIGN_OR_RETURN(uint64_t size, SizeOf(image_.blobs[i].fd));
      BULKHEAD_ASSIGN_OR_RETURN(const char* type, LayerType(image_.blobs[i].fd, size));
      layers.push_back(Descriptor(type, image_.blobs[i].digest, size));
    }
    json manifest = {{"schemaVersion", 2},
                     {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                     {"config", Descriptor("application/vnd.oci.image.config.v1+json",
                                           config().digest, config_size)},
                     {"layers", std::move(layers)}};
    return manifest.dump();
  }

  // The type must be the one that the document itself names, where it names one.
  absl::StatusOr<json> ManifestDescriptor() {
    std::string type = "application/vnd.oci.image.manifest.v1+json";
    if (!image_.has_manifest) {
      BULKHEAD_ASSIGN_OR_RETURN(std::string text, MakeManifest());
      std::string digest = Sha256Of(text);
      BULKHEAD_RETURN_IF_ERROR(AddText(BlobPath(digest), text));
      return Descriptor(type.c_str(), digest, text.size());
    }
    const StoredBlob& blob = image_.blobs[0];
    BULKHEAD_ASSIGN_OR_RETURN(uint64_t size, SizeOf(blob.fd));
    if (size > kMaxManifestBytes) return absl::DataLossError("the manifest is over 4 MiB");
    BULKHEAD_ASSIGN_OR_RETURN(std::string text, base::ReadAt(blob.fd, 0, size));
    json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (document.is_object() && document.contains("mediaType") &&
        document["mediaType"].is_string()) {
      type = *document["mediaType"].get_ptr<const std::string*>();
    }
    return Descriptor(type.c_str(), blob.digest, size);
  }

  absl::Status AddDocuments() {
    BULKHEAD_ASSIGN_OR_RETURN(json manifest, ManifestDescriptor());
    json entries = json::array();
    for (const std::string& name : image_.names) {
      json entry = manifest;
      entry["annotations"] = {{"io.containerd.image.name", name},
                              {"org.opencontainers.image.ref.name", name}};
      entries.push_back(std::move(entry));
    }
    if (entries.empty()) entries.push_back(manifest);
    json index = {{"schemaVersion", 2},
                  {"mediaType", "application/vnd.oci.image.index.v1+json"},
                  {"manifests", std::move(entries)}};
    BULKHEAD_RETURN_IF_ERROR(AddText("index.json", index.dump()));
    json layers = json::array();
    for (size_t i = first() + 1; i < image_.blobs.size(); ++i) {
      layers.push_back(BlobPath(image_.blobs[i].digest));
    }
    json docker = json::array();
    docker.push_back({{"Config", BlobPath(config().digest)},
                      {"RepoTags", image_.names},
                      {"Layers", std::move(layers)}});
    return AddText("manifest.json", docker.dump());
  }

  int out_;
  const ExportedImage& image_;
  std::unique_ptr<archive, FreeArchive> archive_;
  std::set<std::string> written_;
};

}  // namespace

absl::StatusOr<uint64_t> WriteLayout(int out, const ExportedImage& image) {
  size_t documents = image.has_manifest ? 2 : 1;
  if (image.blobs.size() < documents) return absl::InvalidArgumentError("export: blobs are missing");
  return LayoutWriter(out, image).Write();
}

}  // namespace bulkhead::worker
