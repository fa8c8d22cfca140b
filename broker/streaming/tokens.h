#pragma once

#include <capnp/message.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/deadline.h"
#include "schema/streaming.capnp.h"

namespace bulkhead::broker {

// What one token is good for. Everything that it will do was decided when it was issued.
struct StreamGrant {
  schema::StreamVerb verb = schema::StreamVerb::EXEC;
  std::string id;  // the container; the pod of a port-forward
  bool tty = false;
  bool in = false;
  bool out = false;
  bool err = false;
  std::vector<uint16_t> ports;
  std::shared_ptr<capnp::MallocMessageBuilder> job;  // exec: the LaunchJob, command included
};

// The tokens that were issued and not redeemed: 256 random bits, good once and for a minute.
class Tokens {
 public:
  static constexpr size_t kMost = 1000;
  static constexpr size_t kMostBytes = 32 << 20;  // of jobs
  static constexpr absl::Duration kLife = absl::Minutes(1);

  explicit Tokens(absl::Duration life = kLife) : life_(life) {}

  // 64 hex digits. RESOURCE_EXHAUSTED: too many wait already.
  absl::StatusOr<std::string> Issue(StreamGrant grant);
  // NOT_FOUND, always with the same words: unknown, used, too old, or of another verb. token: as
  // bytes.
  absl::StatusOr<StreamGrant> Redeem(schema::StreamVerb verb, const std::string& token);

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string secret;
    StreamGrant grant;
    size_t bytes;
    base::Deadline end;
  };
  using Entries = std::map<std::string, Entry>;
  void Erase(Entries::iterator entry);
  void DropOld();
  absl::Status Miss();

  const absl::Duration life_;
  // By a token's first half, which a client may learn something of by the time that the search
  // takes; the other half is compared in constant time.
  Entries entries_;
  size_t bytes_ = 0;
  uint64_t misses_ = 0;
};

}  // namespace bulkhead::broker
