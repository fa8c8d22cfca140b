#include "frontend/broker_client/broker_client.h"

#include <capnp/rpc-twoparty.h>

#include <algorithm>
#include <future>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "ipc/message.h"

namespace bulkhead::frontend {
namespace {

// Room for what the RPC protocol adds to the parameters.
constexpr size_t kEnvelopeBytes = 4096;
// Two streams of 16 MiB from an exec are the largest answer there is.
constexpr size_t kMaxAnswerWords = (48 << 20) / sizeof(capnp::word);

constexpr kj::Duration kLookAgain = 200 * kj::MILLISECONDS;

kj::Duration ToKj(absl::Duration d) {
  constexpr int64_t kDay = int64_t{24} * 3600 * 1000000;
  return std::clamp<int64_t>(absl::ToInt64Microseconds(d), 0, kDay) * kj::MICROSECONDS;
}

// What went wrong outside the broker's own words. The exception's text is for the log: it tells of
// our inside.
absl::Status FromFault(const kj::Exception& fault) {
  base::Log(base::Severity::kWarning, "call to the broker failed",
            {{"what", fault.getDescription().cStr()}});
  switch (fault.getType()) {
    case kj::Exception::Type::DISCONNECTED:
      return absl::UnavailableError("the broker is not there; it is being restarted");
    case kj::Exception::Type::OVERLOADED:
      return absl::ResourceExhaustedError("the broker has too much to do");
    case kj::Exception::Type::UNIMPLEMENTED:
      return absl::UnimplementedError("the broker does not know this call");
    case kj::Exception::Type::FAILED:
      break;
  }
  return absl::InternalError("the broker could not answer");
}

// Looks again and again; gone lives longer.
kj::Promise<absl::Status> WhenGone(kj::Timer& timer, const std::function<bool()>& gone) {
  return timer.afterDelay(kLookAgain).then([&timer, &gone]() -> kj::Promise<absl::Status> {
    if (gone()) return absl::Status(absl::CancelledError("the client went away"));
    return WhenGone(timer, gone);
  });
}

}  // namespace

struct BrokerClient::Loop {
  schema::Broker::Client broker = nullptr;
  kj::Timer* timer = nullptr;
  kj::Own<const kj::Executor> executor;
  kj::Own<kj::PromiseFulfiller<void>> stop;
};

BrokerClient::BrokerClient(base::UniqueFd connection, std::function<void()> on_lost)
    : on_lost_(std::move(on_lost)), loop_(std::make_unique<Loop>()) {
  std::promise<void> ready;
  thread_ = std::thread([this, fd = connection.Release(), &ready] {
    kj::AsyncIoContext io = kj::setupAsyncIo();
    loop_->timer = &io.provider->getTimer();
    loop_->executor = kj::getCurrentThreadExecutor().addRef();
    auto stop = kj::newPromiseAndFulfiller<void>();
    loop_->stop = kj::mv(stop.fulfiller);

    auto stream = io.lowLevelProvider->wrapSocketFd(
        fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP |
                // It may well not be: but no program is ever executed from here.
                kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC);
    capnp::ReaderOptions options;
    options.traversalLimitInWords = kMaxAnswerWords;
    capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::CLIENT, options);
    auto rpc = capnp::makeRpcClient(network);
    capnp::MallocMessageBuilder message;
    auto id = message.initRoot<capnp::rpc::twoparty::VatId>();
    id.setSide(capnp::rpc::twoparty::Side::SERVER);
    loop_->broker = rpc.bootstrap(id).castAs<schema::Broker>();
    ready.set_value();

    auto lost = network.onDisconnect().then([this] { on_lost_(); });
    // The loop goes on after a loss, so that calls under way get their answer.
    lost.then([]() -> kj::Promise<void> { return kj::NEVER_DONE; })
        .exclusiveJoin(kj::mv(stop.promise))
        .wait(io.waitScope);
    loop_->broker = nullptr;
  });
  ready.get_future().wait();
}

BrokerClient::~BrokerClient() {
  loop_->executor->executeSync([this] { loop_->stop->fulfill(); });
  thread_.join();
}

absl::Status BrokerClient::RunOnLoop(
    kj::Function<kj::Promise<void>(schema::Broker::Client&)> prepare, absl::Duration limit,
    const std::function<bool()>& gone) {
  if (limit <= absl::ZeroDuration()) return absl::DeadlineExceededError("no time left");
  return loop_->executor->executeSync([&]() -> kj::Promise<absl::Status> {
    auto answered = kj::evalNow([&] {
                      return prepare(loop_->broker);
                    }).then([] {
                        return absl::OkStatus();
                      }).catch_([](kj::Exception&& fault) { return FromFault(fault); });
    auto late = loop_->timer->afterDelay(ToKj(limit)).then([limit]() -> absl::Status {
      return absl::DeadlineExceededError(
          absl::StrCat("the broker did not answer in ", absl::FormatDuration(limit)));
    });
    auto first = answered.exclusiveJoin(kj::mv(late));
    if (!gone) return first;
    return first.exclusiveJoin(WhenGone(*loop_->timer, gone));
  });
}

absl::Status BrokerClient::CheckSize(capnp::MessageSize size) {
  const uint64_t bytes = size.wordCount * sizeof(capnp::word);
  if (bytes + kEnvelopeBytes <= ipc::kMaxMessageBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the request takes ", bytes, " bytes; the limit is 1 MiB"));
}

void BrokerClient::Copy(capnp::DynamicStruct::Reader from, capnp::DynamicStruct::Builder to) {
  for (const auto field : from.getSchema().getFields()) {
    if (from.has(field)) to.set(field, from.get(field));
  }
}

}  // namespace bulkhead::frontend
