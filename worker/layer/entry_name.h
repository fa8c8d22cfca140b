#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxNameBytes = 4096;
inline constexpr size_t kMaxNameDepth = 256;

// Where an entry goes, relative to the layer's root, cleaned: no leading slash, no empty or "."
// component.
struct EntryName {
  std::string parent;  // empty: the root itself
  std::string leaf;    // empty: the entry is the root
};

// Cleans the name that a tar gives to an entry or to a hard link's target. INVALID_ARGUMENT: "..",
// over-long or too deep, or a directory named like a whiteout.
absl::StatusOr<EntryName> CleanEntryName(absl::string_view name);

enum class WhiteoutKind {
  kNone,      // an ordinary entry
  kName,      // hides one name of the layers below
  kOpaque,    // hides everything of the layers below in its directory
  kReserved,  // other .wh..wh. names: bookkeeping of the tool that made the layer, to be skipped
};

struct Whiteout {
  WhiteoutKind kind = WhiteoutKind::kNone;
  std::string hides;  // kName: what is hidden, one component
};

// What an entry's leaf means. INVALID_ARGUMENT: a whiteout of nothing, of "." or of "..".
absl::StatusOr<Whiteout> ParseWhiteout(absl::string_view leaf);

}  // namespace bulkhead::worker
