#include "worker/import/archive_index.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kMaxNameBytes = 4096;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

absl::Status ArchiveStatus(archive* a) {
  const char* text = archive_error_string(a);
  return absl::DataLossError(absl::StrCat("archive: ", text ? text : "damaged"));
}

struct Magic {
  absl::string_view bytes;
  const char* name;
};
constexpr Magic kCompressions[] = {
    {"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd" "7zXZ", "xz"}, {"BZh", "bzip2"}};

// What is asked for offsets must lie in the file as it is.
absl::Status CheckFormat(int fd) {
  char first[512];
  ssize_t n = pread(fd, first, sizeof(first), 0);
  if (n < 0) return base::ErrnoStatus("archive: read");
  absl::string_view bytes(first, n);
  for (const Magic& each : kCompressions) {
    if (bytes.substr(0, each.bytes.size()) == each.bytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "archive: is compressed with ", each.name, "; decompress it first (", each.name, " -d)"));
    }
  }
  if (bytes.size() == sizeof(first) && bytes.substr(257, 5) == "ustar") return absl::OkStatus();
  return absl::InvalidArgumentError("archive: is no tar");
}

// Without ".", empty components and a leading slash; base is the directory that a link lies in.
// Empty: leads outside.
std::string CleanName(absl::string_view base, absl::string_view name) {
  std::vector<absl::string_view> components;
  if (name.substr(0, 1) != "/") components = absl::StrSplit(base, '/', absl::SkipEmpty());
  for (absl::string_view each : absl::StrSplit(name, '/', absl::SkipEmpty())) {
    if (each == ".") continue;
    if (each != "..") {
      components.push_back(each);
      continue;
    }
    if (components.empty()) return "";
    components.pop_back();
  }
  return absl::StrJoin(components, "/");
}

std::string DirectoryOf(absl::string_view name) {
  size_t slash = name.rfind('/');
  return slash == absl::string_view::npos ? "" : std::string(name.substr(0, slash));
}

absl::StatusOr<ArchivePtr> Open(int fd) {
  if (lseek(fd, 0, SEEK_SET) != 0) return base::ErrnoStatus("archive: seek");
  ArchivePtr a(archive_read_new());
  if (!a || archive_read_support_format_tar(a.get()) != ARCHIVE_OK ||
      archive_read_open_fd(a.get(), fd, kReadBytes) != ARCHIVE_OK) {
    return a ? ArchiveStatus(a.get()) : absl::ResourceExhaustedError("archive: no memory");
  }
  return a;
}

// Right after a header was read, what the reader has consumed ends where the contents begin: there
// is no filter between it and the file.
absl::StatusOr<Extent> ExtentOf(archive* a, archive_entry* entry, uint64_t file_size) {
  if (archive_entry_sparse_count(entry) > 0) {
    return absl::InvalidArgumentError("is stored as a sparse file");
  }
  int64_t offset = archive_filter_bytes(a, 0);
  int64_t size = archive_entry_size(entry);
  if (offset < 0 || size < 0 || static_cast<uint64_t>(offset) > file_size ||
      static_cast<uint64_t>(size) > file_size - offset) {
    return absl::DataLossError("the archive is cut short");
  }
  return Extent{static_cast<uint64_t>(offset), static_cast<uint64_t>(size)};
}

// The name of a symlink's or hard link's target within the archive; empty: no link, or it leads
// outside.
std::string LinkTarget(archive_entry* entry, absl::string_view name) {
  if (const char* hard = archive_entry_hardlink(entry)) return CleanName("", hard);
  const char* symlink = archive_entry_symlink(entry);
  if (archive_entry_filetype(entry) != AE_IFLNK || symlink == nullptr) return "";
  return CleanName(DirectoryOf(name), symlink);
}

}  // namespace

absl::StatusOr<ArchiveIndex> ArchiveIndex::Scan(int fd) {
  BULKHEAD_RETURN_IF_ERROR(CheckFormat(fd));
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus("archive: stat");
  BULKHEAD_ASSIGN_OR_RETURN(ArchivePtr a, Open(fd));
  ArchiveIndex index;
  archive_entry* entry = nullptr;
  for (size_t count = 0;; ++count) {
    int read = archive_read_next_header(a.get(), &entry);
    if (read == ARCHIVE_EOF) return index;
    if (read != ARCHIVE_OK && read != ARCHIVE_WARN) return ArchiveStatus(a.get());
    if (count == kMaxArchiveEntries) {
      return absl::ResourceExhaustedError(
          absl::StrCat("archive: more than ", kMaxArchiveEntries, " entries"));
    }
    const char* raw = archive_entry_pathname(entry);
    std::string name = raw == nullptr ? "" : CleanName("", raw);
    if (name.empty() || name.size() > kMaxNameBytes) continue;
    if (std::string target = LinkTarget(entry, name); !target.empty()) {
      index.links_.insert_or_assign(name, target);
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      absl::StatusOr<Extent> extent = ExtentOf(a.get(), entry, st.st_size);
      if (!extent.ok()) {
        return base::Annotate(extent.status(), absl::StrCat("archive: ", absl::CHexEscape(name)));
      }
      index.files_.insert_or_assign(name, *extent);
    }
  }
}

absl::StatusOr<Extent> ArchiveIndex::Find(absl::string_view name) const {
  std::string clean = CleanName("", name);
  if (auto file = files_.find(clean); file != files_.end()) return file->second;
  if (auto link = links_.find(clean); link != links_.end()) {
    if (auto file = files_.find(link->second); file != files_.end()) return file->second;
  }
  return absl::NotFoundError(
      absl::StrCat("archive: holds no ", absl::CHexEscape(name.substr(0, 200))));
}

}  // namespace bulkhead::worker
