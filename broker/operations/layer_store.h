#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"

// Where layers lie: <root_dir>/layers/<diffID in hex>, a directory or an EROFS image, by what the
// node's configuration said when it was made. Both may be there side by side, also in one image.
namespace bulkhead::broker {

// A layer being made. It counts as nothing until it is committed, and is removed at the next start.
struct Staging {
  std::string name;
  base::UniqueFd fd;      // the directory, or the file (write-only)
  bool is_image = false;  // of EROFS
};
absl::StatusOr<Staging> MakeStaging(Broker& broker);
// Gives the layer its name and its row. It is there from now on for as long as the node is not
// switched off without notice; WriteBack makes it last beyond that. bytes, inodes: what the maker
// counted.
absl::Status CommitLayer(Broker& broker, const Staging& staging, const std::string& hex,
                         uint64_t bytes, uint64_t inodes);

// Has a worker write what is not on the disk yet, and says so in the rows; in the background, one
// at a time. A layer that was not written when the node lost power is none after it (recovery/).
void WriteBack(Broker& broker);

// Deletes a layer's files. An image goes at once; a directory takes a worker. Missing is success.
absl::Status RemoveLayerFiles(Fiber& fiber, Broker& broker, const std::string& hex);
// The same of a staging that was given up.
absl::Status RemoveStaging(Fiber& fiber, Broker& broker, const std::string& name);

}  // namespace bulkhead::broker
