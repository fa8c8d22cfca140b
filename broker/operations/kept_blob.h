#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/broker.h"

// Layers as they came: kept beside what was made of them, so that an image can be given on byte by
// byte ([images] keep_layers). Nothing else needs them, and nothing believes them: who uses one
// hashes it.
namespace bulkhead::broker {

// The name of a file that is being fetched: beside the blobs, as nothing can be renamed from one of
// the broker's directories to another, each of which it sees as a mount of its own. The name goes
// with this, unless the file is kept, or else with the next start.
class IngestName {
 public:
  IngestName() = default;
  IngestName(int directory, std::string name) : directory_(directory), name_(std::move(name)) {}
  IngestName(IngestName&& other) noexcept
      : directory_(other.directory_), name_(std::exchange(other.name_, "")) {}
  IngestName& operator=(IngestName&& other) noexcept;
  ~IngestName();

  // One that no blob has.
  static std::string New();

  // Makes the file blob <digest> (32 bytes), which it was found to hash to.
  absl::Status Keep(Broker& broker, const std::string& digest);

 private:
  int directory_ = -1;
  std::string name_;
};

// Whether there is a blob of that digest (32 bytes).
bool HasBlob(Broker& broker, const std::string& digest);
// Copies a part of an archive into a blob, and returns its digest (32 bytes).
absl::StatusOr<std::string> KeepSection(Fiber& fiber, Broker& broker, int archive, uint64_t offset,
                                        uint64_t size);

}  // namespace bulkhead::broker
