#pragma once

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <kj/async-io.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "schema/broker.capnp.h"

// The frontend's end of the connection to the broker. One thread owns it and runs its event loop;
// the threads of gRPC hand their calls to it and block until the answer has been copied out.
namespace bulkhead::frontend {

// The parameters of one call, built by the thread that makes it.
template <typename Params>
class Question {
 public:
  Question() : params_(message_.initRoot<Params>()) {}
  typename Params::Builder params() { return params_; }

 private:
  capnp::MallocMessageBuilder message_;
  typename Params::Builder params_;
};

// A copy of the results of one call, owned by the thread that made it.
template <typename Results>
class Answer {
 public:
  explicit Answer(std::unique_ptr<capnp::MallocMessageBuilder> message)
      : message_(std::move(message)) {}
  typename Results::Reader results() const { return message_->getRoot<Results>().asReader(); }

 private:
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
};

class BrokerClient {
 public:
  // connection: a stream socket. on_lost is called at most once, on the loop's thread, when the
  // broker has gone; it must not wait for calls.
  BrokerClient(base::UniqueFd connection, std::function<void()> on_lost);
  // Ends the thread. No call may be under way.
  ~BrokerClient();
  BrokerClient(const BrokerClient&) = delete;
  BrokerClient& operator=(const BrokerClient&) = delete;

  template <typename Params, typename Results>
  using Method =
      capnp::Request<Params, Results> (schema::Broker::Client::*)(kj::Maybe<capnp::MessageSize>);

  // Makes one call from any thread but the loop's. DEADLINE_EXCEEDED after limit: the broker may
  // still do it. UNAVAILABLE: the connection is lost. RESOURCE_EXHAUSTED: the request is over what
  // the broker takes (1 MiB). CANCELLED: gone, asked now and then on the loop's thread, said true;
  // the broker is told. The status inside the results is the caller's to read.
  template <typename Params, typename Results>
  absl::StatusOr<Answer<Results>> Call(Method<Params, Results> method, Question<Params>& question,
                                       absl::Duration limit,
                                       const std::function<bool()>& gone = {});

 private:
  struct Loop;  // what only the loop's thread touches

  // Sends what prepare makes on the loop's thread and waits until it is done or limit has passed.
  absl::Status RunOnLoop(kj::Function<kj::Promise<void>(schema::Broker::Client&)> prepare,
                         absl::Duration limit, const std::function<bool()>& gone);
  static absl::Status CheckSize(capnp::MessageSize size);
  // Copies field by field: a request and its parameters have no common root.
  static void Copy(capnp::DynamicStruct::Reader from, capnp::DynamicStruct::Builder to);

  std::function<void()> on_lost_;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

template <typename Params, typename Results>
absl::StatusOr<Answer<Results>> BrokerClient::Call(Method<Params, Results> method,
                                                   Question<Params>& question, absl::Duration limit,
                                                   const std::function<bool()>& gone) {
  const typename Params::Reader params = question.params().asReader();
  const capnp::MessageSize size = params.totalSize();
  if (absl::Status status = CheckSize(size); !status.ok()) return status;
  auto answer = std::make_unique<capnp::MallocMessageBuilder>();
  absl::Status status = RunOnLoop(
      [&](schema::Broker::Client& broker) {
        auto request = (broker.*method)(size);
        Copy(params, static_cast<typename Params::Builder>(request));
        return request.send().then([&answer](capnp::Response<Results>&& response) {
          answer->setRoot(static_cast<typename Results::Reader>(response));
        });
      },
      limit, gone);
  if (!status.ok()) return status;
  return Answer<Results>(std::move(answer));
}

}  // namespace bulkhead::frontend
