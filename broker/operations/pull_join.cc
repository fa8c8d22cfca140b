#include <algorithm>

#include "base/status.h"
#include "broker/audit/operation.h"
#include "broker/operations/image.h"
#include "broker/server/answer.h"
#include "validate/auth.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

using PullResult = absl::StatusOr<std::string>;

// Only who shows the same credentials shares what they gave.
bool IsSame(const Pull& pull, schema::ImageReference::Reader reference,
            schema::RegistryAuth::Reader auth) {
  auto own = pull.auth.read();
  return validate::FormatReference(pull.reference.read()) == validate::FormatReference(reference) &&
         own.getUsername() == auth.getUsername() && own.getPassword() == auth.getPassword() &&
         own.getIdentityToken() == auth.getIdentityToken() &&
         own.getRegistryToken() == auth.getRegistryToken() && own.getServer() == auth.getServer();
}

PullResult RunPull(Fiber& fiber, Broker& broker, const std::shared_ptr<Pull>& pull) {
  auto settings = broker.config.getPulls();
  auto turn = broker.pulls.turns.Acquire(fiber, std::max<size_t>(settings.getAtOnce(), 1));
  pull->waiting = false;
  if (pull->abandoned) return absl::CancelledError("pull: nobody waits for it any more");
  if (settings.getDeadlineSeconds() > 0) {
    pull->deadline = base::Deadline::After(absl::Seconds(settings.getDeadlineSeconds()));
  }
  return Operation(fiber, broker, "PullImage").Of(pull->reference.read()).Grows().Run([&] {
    return PullImage(fiber, broker, *pull);
  });
}

PullTable::Entry& Begin(Broker& broker, schema::ImageReference::Reader reference,
                        schema::RegistryAuth::Reader auth) {
  auto pull = std::make_shared<Pull>(reference, auth);
  auto& entries = broker.pulls.entries;
  auto result = broker.loop.Run([&broker, pull](Fiber& fiber) {
    PullResult outcome = RunPull(fiber, broker, pull);
    broker.pulls.entries.remove_if([&](const auto& entry) { return entry.pull == pull; });
    return outcome;
  });
  entries.push_back({.pull = pull, .result = result.fork()});
  return entries.back();
}

// A caller, for as long as it waits.
class Caller {
 public:
  Caller(Broker& broker, std::shared_ptr<Pull> pull) : broker_(broker), pull_(std::move(pull)) {}
  ~Caller() {
    for (PullTable::Entry& entry : broker_.pulls.entries) {
      if (entry.pull == pull_ && --entry.callers == 0) pull_->Abandon();
    }
  }

 private:
  Broker& broker_;
  std::shared_ptr<Pull> pull_;
};

}  // namespace

kj::Promise<PullResult> JoinPull(Broker& broker, schema::ImageReference::Reader reference,
                                 schema::RegistryAuth::Reader auth) {
  absl::Status good = validate::CheckReference("image.image", reference);
  if (good.ok()) good = validate::CheckAuth("auth", auth);
  if (!good.ok()) return PullResult(good);
  auto& entries = broker.pulls.entries;
  auto found = std::find_if(entries.begin(), entries.end(), [&](const PullTable::Entry& entry) {
    return !entry.pull->abandoned && IsSame(*entry.pull, reference, auth);
  });
  if (found == entries.end() && broker.loop.operations() >= kMaxCallsInFlight) {
    return PullResult(absl::ResourceExhaustedError("the broker is busy: too many calls at once"));
  }
  PullTable::Entry& entry = found != entries.end() ? *found : Begin(broker, reference, auth);
  ++entry.callers;
  return entry.result.addBranch().attach(kj::heap<Caller>(broker, entry.pull));
}

}  // namespace bulkhead::broker
