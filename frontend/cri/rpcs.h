#pragma once

#include <functional>

#include "absl/status/status.h"
#include "frontend/cri/call.h"

// The RPCs of CRI v1 that are there, one function and one file each. Each checks its request, asks
// the broker and converts the answer; errors name the field of the request.
namespace bulkhead::frontend {

#define BULKHEAD_CRI_RPC(Name)                                          \
  absl::Status Name(const Call& call, const v1::Name##Request& request, \
                    v1::Name##Response& response)

BULKHEAD_CRI_RPC(Version);
BULKHEAD_CRI_RPC(Status);
BULKHEAD_CRI_RPC(UpdateRuntimeConfig);
BULKHEAD_CRI_RPC(RuntimeConfig);

BULKHEAD_CRI_RPC(RunPodSandbox);
BULKHEAD_CRI_RPC(StopPodSandbox);
BULKHEAD_CRI_RPC(RemovePodSandbox);
BULKHEAD_CRI_RPC(PodSandboxStatus);
BULKHEAD_CRI_RPC(ListPodSandbox);
BULKHEAD_CRI_RPC(UpdatePodSandboxResources);

BULKHEAD_CRI_RPC(CreateContainer);
BULKHEAD_CRI_RPC(StartContainer);
BULKHEAD_CRI_RPC(StopContainer);
BULKHEAD_CRI_RPC(RemoveContainer);
BULKHEAD_CRI_RPC(ListContainers);
BULKHEAD_CRI_RPC(ContainerStatus);
BULKHEAD_CRI_RPC(UpdateContainerResources);
BULKHEAD_CRI_RPC(ExecSync);
BULKHEAD_CRI_RPC(Exec);
BULKHEAD_CRI_RPC(Attach);
BULKHEAD_CRI_RPC(PortForward);
BULKHEAD_CRI_RPC(ReopenContainerLog);

BULKHEAD_CRI_RPC(ContainerStats);
BULKHEAD_CRI_RPC(ListContainerStats);
BULKHEAD_CRI_RPC(PodSandboxStats);
BULKHEAD_CRI_RPC(ListPodSandboxStats);
BULKHEAD_CRI_RPC(ListMetricDescriptors);
BULKHEAD_CRI_RPC(ListPodSandboxMetrics);

BULKHEAD_CRI_RPC(ListImages);
BULKHEAD_CRI_RPC(ImageStatus);
BULKHEAD_CRI_RPC(PullImage);
BULKHEAD_CRI_RPC(RemoveImage);
BULKHEAD_CRI_RPC(ImageFsInfo);

#undef BULKHEAD_CRI_RPC

// Where events go.
struct EventSink {
  // Waits until the client takes it; false: it has gone.
  std::function<bool(const v1::ContainerEventResponse&)> send;
  std::function<bool()> gone;
};

// First one event for each pod and container, of how far it has come; then what happens, in order.
// Returns when the client has gone. DATA_LOSS: it was too slow, and should begin again.
absl::Status GetContainerEvents(const Call& call, const EventSink& sink);

}  // namespace bulkhead::frontend
