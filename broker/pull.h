#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "base/deadline.h"
#include "base/unique_fd.h"
#include "broker/fiber.h"
#include "broker/state/record.h"
#include "schema/image.capnp.h"
#include "schema/registries.capnp.h"

namespace bulkhead::broker {

// One image on its way from a registry, asked for by one caller or by several at once.
struct Pull {
  // A layer, for those who want to see how far it is.
  struct Part {
    std::string digest;   // 32 bytes
    std::string diff_id;  // 32 bytes
    uint64_t size = 0;
    base::UniqueFd file;   // while it is being fetched: its length says how far
    bool fetched = false;  // wholly here, or not needed
  };

  explicit Pull(schema::ImageReference::Reader name) : reference(name) {}
  Pull(schema::ImageReference::Reader name, schema::RegistryAuth::Reader credentials)
      : reference(name), auth(credentials) {}
  ~Pull() {
    auth.Wipe();
    token.Wipe();
  }
  Pull(const Pull&) = delete;

  // All callers went away: ends what is under way.
  void Abandon() {
    abandoned = true;
    for (const auto& end : on_abandon) end();
  }

  Record<schema::ImageReference> reference;
  Record<schema::RegistryAuth> auth;  // a secret: for a fetch worker alone
  base::Deadline deadline = base::Deadline::Never();
  absl::Time began = absl::Now();
  bool waiting = true;  // for its turn
  bool abandoned = false;
  std::list<std::function<void()>> on_abandon;  // one of each who waits for a worker
  // What the registry's token service gave last; a secret like auth. Spares later workers the
  // asking.
  Record<schema::RegistryToken> token;
  std::vector<Part> parts;  // lowest layer first; empty before the manifest is here
};

// The pulls under way, so that the same one is joined and not too many run at a time.
struct PullTable {
  struct Entry {
    std::shared_ptr<Pull> pull;
    kj::ForkedPromise<absl::StatusOr<std::string>> result;
    size_t callers = 0;
  };
  std::list<Entry> entries;
  FiberLimit turns;
};

}  // namespace bulkhead::broker
