#pragma once

#include <sys/stat.h>
#include <time.h>

#include <array>
#include <string>
#include <vector>

#include "worker/layer/layer_sink.h"
#include "worker/unpack/layer_tree.h"

namespace bulkhead::worker {

// Makes a layer as a directory.
class DirectorySink : public LayerSink {
 public:
  // root stays the caller's. max_made: how many inodes and links may be made.
  DirectorySink(int root, uint64_t max_made) : root_(root), tree_(root, max_made) {}

  // The root directory becomes the caller's (owner 0, 0755).
  absl::Status TakeOver();

  absl::Status Root(Attributes attributes) override;
  absl::Status Directory(const EntryName& name, Attributes attributes) override;
  absl::Status File(const EntryName& name, const Attributes& attributes, uint64_t size,
                    Contents contents) override;
  absl::Status Symlink(const EntryName& name, const Attributes& attributes,
                       const std::string& target) override;
  absl::Status Fifo(const EntryName& name, const Attributes& attributes) override;
  absl::Status HardLink(const EntryName& name, const EntryName& target) override;
  absl::Status Whiteout(const std::string& parent, const std::string& hides) override;
  absl::Status Opaque(const std::string& directory) override;
  uint64_t made() const override { return tree_.made(); }

  // Directories' times come last: what is made inside would change them again.
  absl::Status FinishDirectories();

 private:
  struct PendingDirectory {
    std::string path;
    ino_t inode;
    std::array<timespec, 2> times;
  };

  absl::Status ApplyToDirectory(int directory, std::string path, const Attributes& attributes);

  int root_;
  LayerTree tree_;
  std::vector<PendingDirectory> directories_;
};

}  // namespace bulkhead::worker
