#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/unpack/attributes.h"
#include "worker/unpack/entry_name.h"
#include "worker/unpack/layer_tree.h"
#include "worker/unpack/unpack.h"

struct archive;
struct archive_entry;

namespace bulkhead::worker {

// One layer being made, entry by entry.
class Unpacker {
 public:
  Unpacker(archive* a, int root, const UnpackLimits& limits)
      : archive_(a), root_(root), limits_(limits), tree_(root, limits.max_entries) {}

  absl::Status TakeOver();
  // False at the end.
  absl::StatusOr<bool> Next();
  // Directories' own attributes come last: what is made inside would change their times again.
  absl::Status FinishDirectories();
  Unpacked result() const;

 private:
  struct Place {
    int parent;
    std::string leaf;
  };
  struct PendingDirectory {
    std::string path;
    ino_t inode;
    Attributes attributes;
  };

  absl::Status Handle(archive_entry* entry, absl::string_view raw_name);
  absl::Status HandleWhiteout(archive_entry* entry, const Whiteout& whiteout,
                              const EntryName& name);
  absl::Status HandleInode(archive_entry* entry, const EntryName& name);
  absl::Status MakeFile(archive_entry* entry, const Place& at, const Attributes& attributes);
  absl::Status MakeSymlink(archive_entry* entry, const Place& at, const Attributes& attributes);
  absl::Status MakeFifo(const Place& at, Attributes attributes);
  absl::Status MakeHardLink(const Place& at, absl::string_view target);
  absl::Status MakeDirectory(const Place& at, const EntryName& name, Attributes attributes);
  absl::Status DelayAttributes(int directory, std::string path, Attributes attributes);
  absl::Status CopyContents(int fd, uint64_t size);
  absl::Status Charge(uint64_t bytes);

  archive* archive_;
  int root_;
  UnpackLimits limits_;
  LayerTree tree_;
  uint64_t headers_ = 0;
  Unpacked counts_;
  std::vector<PendingDirectory> directories_;
};

// What libarchive says of its last failure.
absl::Status ArchiveStatus(archive* a);

}  // namespace bulkhead::worker
