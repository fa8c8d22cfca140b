#pragma once

#include <capnp/message.h>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "broker/trace/timeline.h"
#include "schema/audit.capnp.h"

namespace bulkhead::broker {

// One call that may change something, from its arrival to its answer: recorded in the audit log
// (the intent before any worker gets a job, the result afterwards) and in the timeline.
//
//   return Operation(fiber, broker, "StartContainer", id).Run([&] { return Start(...); });
class Operation {
 public:
  using Actor = schema::AuditRecord::Actor;
  // name: the CRI call's. id: of the pod or container that the call names; a prefix will do.
  Operation(Fiber& fiber, Broker& broker, absl::string_view name, const std::string& id = "",
            Actor actor = Actor::KUBELET);
  Operation(const Operation&) = delete;
  ~Operation();

  // What the call asks for.
  Operation& Of(schema::PodConfig::Reader config);
  Operation& Of(schema::ContainerConfig::Reader config);
  Operation& Of(schema::ImageReference::Reader reference);
  Operation& OfImage(absl::string_view name);
  Operation& WithArguments(capnp::List<capnp::Text>::Reader argv);

  // It makes something: RESOURCE_EXHAUSTED where the disk is all but full, unrecorded, as nothing
  // was done and records take space.
  Operation& Grows();

  // Runs f() -> Status or StatusOr<T>. The result is not waited for until it is durable: what it
  // says has happened by then.
  template <typename F>
  std::invoke_result_t<F> Run(F f) {
    if (!space_.ok()) return space_;
    Begin();
    auto outcome = f();
    End(StatusOf(outcome));
    return outcome;
  }
  // For an f that returns the id of what it made.
  template <typename F>
  absl::StatusOr<std::string> RunForId(F f) {
    if (!space_.ok()) return space_;
    Begin();
    absl::StatusOr<std::string> id = f();
    if (id.ok()) Name(*id);
    End(id.status());
    return id;
  }

 private:
  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static absl::Status StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }
  void Name(const std::string& id);
  void Begin();
  void End(const absl::Status& status);

  Fiber& fiber_;
  Broker& broker_;
  absl::Status space_;
  std::shared_ptr<Timeline> timeline_;
  std::shared_ptr<Timeline> outer_;
  capnp::MallocMessageBuilder message_;
  schema::AuditRecord::Builder record_;
};

}  // namespace bulkhead::broker
