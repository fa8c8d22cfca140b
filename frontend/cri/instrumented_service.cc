#include "frontend/cri/instrumented_service.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "cri/v1/api.grpc.pb.h"
#include "frontend/cri/rpcs.h"
#include "frontend/cri/status_to_grpc.h"
#include "frontend/cri/unknown_fields.h"
#include "ipc/guard.h"
#include "schema/proto/redact.h"

namespace bulkhead::frontend {
namespace {

// kQuiet: kubelet asks every second, and nothing changes by it.
enum class Noise { kQuiet, kNormal };

// Of a streamed list; with the largest labels and annotations that are allowed still below the 16
// MiB that clients take.
constexpr int kEntriesOfAMessage = 32;

class Instrument {
 public:
  explicit Instrument(const Call& prototype) : prototype_(prototype) {}

  template <typename Request, typename Response>
  grpc::Status Run(const grpc::ServerContext& context, const char* method, Noise noise,
                   absl::Status (*rpc)(const Call&, const Request&, Response&),
                   const Request& request, Response* response) {
    const absl::Time begin = absl::Now();
    Call call = prototype_;
    call.client_deadline = absl::FromChrono(context.deadline());
    call.gone = [&context] { return context.IsCancelled(); };
    WarnOfUnknownFields(method, request);
    absl::Status status;
    // Reading an answer of the broker may show it to be malformed.
    const absl::Status readable = ipc::Guarded([&] { status = rpc(call, request, *response); });
    if (!readable.ok()) status = absl::InternalError("the broker's answer is malformed");
    Record(method, noise, status, absl::Now() - begin, request);
    return ToGrpc(status);
  }

  // A list in messages of so many entries each. list: the RPC of which this is the streamed form.
  template <typename Request, typename ListRequest, typename ListResponse, typename Item,
            typename Entries, typename Part>
  grpc::Status RunList(grpc::ServerContext& context, const char* method,
                       absl::Status (*list)(const Call&, const ListRequest&, ListResponse&),
                       const Request& request, grpc::ServerWriter<Item>& writer, Entries entries,
                       Part part) {
    ListRequest asked;
    if constexpr (requires { request.filter(); }) *asked.mutable_filter() = request.filter();
    ListResponse all;
    WarnOfUnknownFields(method, request);
    const grpc::Status status = Run(context, method, Noise::kQuiet, list, asked, &all);
    if (!status.ok()) return status;
    auto* from = entries(all);
    for (int begin = 0; begin < from->size(); begin += kEntriesOfAMessage) {
      Item message;
      const int end = std::min(begin + kEntriesOfAMessage, from->size());
      for (int i = begin; i < end; ++i) part(message)->Add()->Swap(from->Mutable(i));
      if (!writer.Write(message)) break;  // the client has gone
    }
    return grpc::Status::OK;
  }

  grpc::Status RunEvents(grpc::ServerContext& context,
                         grpc::ServerWriter<v1::ContainerEventResponse>& writer) {
    const EventSink sink = {
        .send = [&writer](const v1::ContainerEventResponse& event) { return writer.Write(event); },
        .gone = [&context] { return context.IsCancelled(); }};
    const absl::Time begin = absl::Now();
    Call call = prototype_;
    call.client_deadline = absl::FromChrono(context.deadline());
    absl::Status status;
    const absl::Status readable = ipc::Guarded([&] { status = GetContainerEvents(call, sink); });
    if (!readable.ok()) status = absl::InternalError("the broker's answer is malformed");
    Record("GetContainerEvents", Noise::kNormal, status, absl::Now() - begin,
           v1::GetEventsRequest());
    return ToGrpc(status);
  }

  grpc::Status NotYet(const char* method) {
    prototype_.counts.Add(method, false);
    base::Log(base::Severity::kDebug, "rpc", {{"method", method}, {"code", "UNIMPLEMENTED"}});
    return ToGrpc(absl::UnimplementedError(absl::StrCat(method, " is not implemented yet")));
  }

 private:
  // A newer client's field may ask for a restriction that this server has never heard of.
  void WarnOfUnknownFields(const char* method, const google::protobuf::Message& request) {
    const int unknown = CountUnknownFields(request);
    if (unknown == 0) return;
    base::Log(base::Severity::kWarning, "request has fields of a newer CRI, which are not obeyed",
              {{"method", method}, {"fields", unknown}});
  }

  void Record(const char* method, Noise noise, const absl::Status& status, absl::Duration took,
              const google::protobuf::Message& request) {
    prototype_.counts.Add(method, status.ok());
    const int64_t ms = absl::ToInt64Milliseconds(took);
    if (status.ok()) {
      const auto severity = noise == Noise::kQuiet ? base::Severity::kDebug : base::Severity::kInfo;
      base::Log(severity, "rpc", {{"method", method}, {"code", "OK"}, {"ms", ms}});
      return;
    }
    base::Log(base::Severity::kWarning, "rpc",
              {{"method", method},
               {"code", absl::StatusCodeToString(status.code())},
               {"ms", ms},
               {"error", status.message()}});
    base::Log(base::Severity::kDebug, "failed request",
              {{"method", method}, {"request", cri::Redacted(request)}});
  }

  const Call prototype_;
};

#define BULKHEAD_RPC(Name, noise)                                                        \
  grpc::Status Name(grpc::ServerContext* context, const v1::Name##Request* request,      \
                    v1::Name##Response* response) override {                             \
    return instrument_.Run(*context, #Name, noise, &frontend::Name, *request, response); \
  }
#define BULKHEAD_LATER(Name)                                                             \
  grpc::Status Name(grpc::ServerContext*, const v1::Name##Request*, v1::Name##Response*) \
      override {                                                                         \
    return instrument_.NotYet(#Name);                                                    \
  }
// The streamed form of the RPC List, whose answer has its entries in the field from.
#define BULKHEAD_STREAM(Name, List, from, to)                                       \
  grpc::Status Name(grpc::ServerContext* context, const v1::Name##Request* request, \
                    grpc::ServerWriter<v1::Name##Response>* writer) override {      \
    return instrument_.RunList(                                                     \
        *context, #Name, &frontend::List, *request, *writer,                        \
        [](v1::List##Response& all) { return all.mutable_##from(); },               \
        [](v1::Name##Response& message) { return message.mutable_##to(); });        \
  }

class Runtime final : public v1::RuntimeService::Service {
 public:
  explicit Runtime(const Call& prototype) : instrument_(prototype) {}

  BULKHEAD_RPC(Version, Noise::kQuiet)
  BULKHEAD_RPC(Status, Noise::kQuiet)
  BULKHEAD_RPC(UpdateRuntimeConfig, Noise::kNormal)
  BULKHEAD_RPC(RuntimeConfig, Noise::kNormal)

  BULKHEAD_RPC(RunPodSandbox, Noise::kNormal)
  BULKHEAD_RPC(StopPodSandbox, Noise::kNormal)
  BULKHEAD_RPC(RemovePodSandbox, Noise::kNormal)
  BULKHEAD_RPC(PodSandboxStatus, Noise::kQuiet)
  BULKHEAD_RPC(ListPodSandbox, Noise::kQuiet)
  BULKHEAD_STREAM(StreamPodSandboxes, ListPodSandbox, items, pod_sandboxes)
  BULKHEAD_RPC(UpdatePodSandboxResources, Noise::kNormal)

  BULKHEAD_RPC(CreateContainer, Noise::kNormal)
  BULKHEAD_RPC(StartContainer, Noise::kNormal)
  BULKHEAD_RPC(StopContainer, Noise::kNormal)
  BULKHEAD_RPC(RemoveContainer, Noise::kNormal)
  BULKHEAD_RPC(ListContainers, Noise::kQuiet)
  BULKHEAD_STREAM(StreamContainers, ListContainers, containers, containers)
  BULKHEAD_RPC(ContainerStatus, Noise::kQuiet)
  BULKHEAD_RPC(UpdateContainerResources, Noise::kNormal)
  BULKHEAD_RPC(ReopenContainerLog, Noise::kNormal)

  BULKHEAD_RPC(ExecSync, Noise::kNormal)
  BULKHEAD_RPC(Exec, Noise::kNormal)
  BULKHEAD_RPC(Attach, Noise::kNormal)
  BULKHEAD_RPC(PortForward, Noise::kNormal)

  BULKHEAD_LATER(CheckpointContainer)
  BULKHEAD_LATER(CheckpointPod)
  BULKHEAD_LATER(RestorePod)

  BULKHEAD_RPC(PodSandboxStats, Noise::kQuiet)
  BULKHEAD_RPC(ContainerStats, Noise::kQuiet)
  BULKHEAD_RPC(ListContainerStats, Noise::kQuiet)
  BULKHEAD_STREAM(StreamContainerStats, ListContainerStats, stats, container_stats)
  BULKHEAD_RPC(ListPodSandboxStats, Noise::kQuiet)
  BULKHEAD_STREAM(StreamPodSandboxStats, ListPodSandboxStats, stats, pod_sandbox_stats)
  BULKHEAD_RPC(ListMetricDescriptors, Noise::kQuiet)
  BULKHEAD_RPC(ListPodSandboxMetrics, Noise::kQuiet)
  BULKHEAD_STREAM(StreamPodSandboxMetrics, ListPodSandboxMetrics, pod_metrics, pod_sandbox_metrics)
  grpc::Status GetContainerEvents(grpc::ServerContext* context, const v1::GetEventsRequest*,
                                  grpc::ServerWriter<v1::ContainerEventResponse>* writer) override {
    return instrument_.RunEvents(*context, *writer);
  }

 private:
  Instrument instrument_;
};

class Images final : public v1::ImageService::Service {
 public:
  explicit Images(const Call& prototype) : instrument_(prototype) {}

  BULKHEAD_RPC(ListImages, Noise::kQuiet)
  BULKHEAD_STREAM(StreamImages, ListImages, images, images)
  BULKHEAD_RPC(ImageStatus, Noise::kQuiet)
  BULKHEAD_RPC(PullImage, Noise::kNormal)
  BULKHEAD_RPC(RemoveImage, Noise::kNormal)
  BULKHEAD_RPC(ImageFsInfo, Noise::kQuiet)

 private:
  Instrument instrument_;
};

#undef BULKHEAD_RPC
#undef BULKHEAD_LATER
#undef BULKHEAD_STREAM

}  // namespace

std::unique_ptr<grpc::Service> MakeRuntimeService(const Call& prototype) {
  return std::make_unique<Runtime>(prototype);
}

std::unique_ptr<grpc::Service> MakeImageService(const Call& prototype) {
  return std::make_unique<Images>(prototype);
}

}  // namespace bulkhead::frontend
