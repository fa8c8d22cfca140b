#include <sys/stat.h>

#include "base/ids.h"
#include "broker/operations/image.h"
#include "broker/server/admin_server.h"
#include "broker/server/answer.h"
#include "broker/server/broker_server.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

using State = schema::Pull::Part::State;

void FillPart(Broker& broker, const Pull::Part& part, schema::Pull::Part::Builder out) {
  out.initDigest().setBytes(kj::StringPtr(part.digest.c_str(), part.digest.size()).asBytes());
  out.setSize(part.size);
  struct stat about = {};
  if (part.file && fstat(part.file.get(), &about) == 0) {
    out.setFetched(std::min<uint64_t>(about.st_size, part.size));
  }
  if (part.fetched) out.setFetched(part.size);
  if (broker.state.layers().contains(base::ToHex(part.diff_id)))
    out.setState(State::DONE);
  else if (part.fetched)
    out.setState(State::UNPACKING);
  else if (about.st_size > 0)
    out.setState(State::FETCHING);
}

}  // namespace

kj::Promise<void> BrokerServer::pullImage(PullImageContext context) {
  // A caller who goes away is to be noticed.
  context.allowCancellation();
  auto params = context.getParams();
  return JoinPull(broker_, params.getReference(), params.getAuth())
      .then([context](absl::StatusOr<std::string> id) mutable {
        auto fill = [](auto results, const std::string& text) { results.setImageId(text); };
        WriteOutcome(context.getResults(), id, fill);
      });
}

kj::Promise<void> AdminServer::pulls(PullsContext context) {
  size_t count = 0;
  for (const auto& entry : broker_.pulls.entries) count += !entry.pull->abandoned;
  auto list = context.getResults().initPulls(count);
  unsigned i = 0;
  for (const auto& entry : broker_.pulls.entries) {
    const Pull& pull = *entry.pull;
    if (pull.abandoned) continue;
    auto out = list[i++];
    out.setReference(validate::FormatReference(pull.reference.read()));
    out.setWaiting(pull.waiting);
    out.setCallers(static_cast<uint32_t>(entry.callers));
    int64_t seconds = absl::ToInt64Seconds(absl::Now() - pull.began);
    out.setSeconds(static_cast<uint32_t>(std::max<int64_t>(seconds, 0)));
    auto parts = out.initParts(pull.parts.size());
    for (unsigned k = 0; k < parts.size(); ++k) FillPart(broker_, pull.parts[k], parts[k]);
  }
  return kj::READY_NOW;
}

}  // namespace bulkhead::broker
