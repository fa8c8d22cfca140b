#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/layer/attributes.h"
#include "worker/layer/entry_name.h"

namespace bulkhead::worker {

// The contents of one regular file, as the tar has them: calls take for each piece, in the order of
// ascending offsets that do not overlap; what lies between pieces is a hole.
using TakePiece = absl::FunctionRef<absl::Status(uint64_t offset, absl::string_view bytes)>;
using Contents = absl::FunctionRef<absl::Status(TakePiece take)>;

// What a layer's tar is turned into: a directory, or an image of one. Each call is one entry, whose
// name, attributes and size were checked. What an entry finds in its place it replaces, but a
// directory that meets a directory keeps what is in it. Parents that are missing are made (mode
// 0755, owner 0); symbolic links in a parent are followed inside the layer, in the last component
// never. INVALID_ARGUMENT: something that is no directory is in the way; RESOURCE_EXHAUSTED: over a
// limit.
class LayerSink {
 public:
  virtual ~LayerSink() = default;

  // The root's own attributes.
  virtual absl::Status Root(Attributes attributes) = 0;
  virtual absl::Status Directory(const EntryName& name, Attributes attributes) = 0;
  virtual absl::Status File(const EntryName& name, const Attributes& attributes, uint64_t size,
                            Contents contents) = 0;
  // target: 1 to 4095 bytes without NUL. A link has no xattrs.
  virtual absl::Status Symlink(const EntryName& name, const Attributes& attributes,
                               const std::string& target) = 0;
  // A fifo has no xattrs.
  virtual absl::Status Fifo(const EntryName& name, const Attributes& attributes) = 0;
  // INVALID_ARGUMENT: target is not in this layer, or a directory or whiteout.
  virtual absl::Status HardLink(const EntryName& name, const EntryName& target) = 0;
  // Hides hides in the directory parent of the layers below; what this layer has there itself
  // stays.
  virtual absl::Status Whiteout(const std::string& parent, const std::string& hides) = 0;
  // Hides everything that the layers below have in the directory, which is not the root.
  virtual absl::Status Opaque(const std::string& directory) = 0;

  // Inodes and links made so far.
  virtual uint64_t made() const = 0;
};

}  // namespace bulkhead::worker
