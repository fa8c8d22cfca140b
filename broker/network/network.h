#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/fiber.h"
#include "broker/state/state.h"

// Pods' networks. The broker chooses when a plugin runs and remembers what is owed; it reads
// neither configurations nor what plugins print.
namespace bulkhead::broker {

struct Broker;
class CniPair;

// One CNI network, as the cni worker read it.
struct NetworkConfiguration {
  std::string name;
  std::string file;         // in the configuration directory
  std::string document;     // opaque: for the cni worker
  bool has_status = false;  // STATUS and GC do something (CNI 1.1)
};

// What is known of the node's network. Lives in Broker.
struct NetworkState {
  std::optional<NetworkConfiguration> current;  // the last good one
  absl::Status problem = absl::UnavailableError("the network configuration has not been read yet");
  absl::Status plugins;  // what STATUS said last
  absl::Time read_at = absl::InfinitePast();
  absl::Time asked_at = absl::InfinitePast();
  bool changed = true;  // since it was read
  bool settling = false;  // a change has just been noted and will be read
  bool refreshing = false;
  FiberMutex reading;
  FiberMutex collecting;  // held while GC runs; who adds an attachment passes through it
  kj::Own<kj::PromiseFulfiller<void>> wake;  // of the fiber that pays debts
};

// --- The configuration ---

// To be called when something changed in the configuration directory: reads it again soon.
void NoteConfigurationChange(Broker& broker);
// The network that new pods join. FAILED_PRECONDITION: there is none, and why. Where the file that
// the last good one came from is now broken, the last good one stays.
absl::StatusOr<NetworkConfiguration> CurrentNetwork(Fiber& fiber, Broker& broker);
// Whether pods can have a network, for Status: what is known, and refreshed behind the caller's
// back. Waits only the first time.
absl::Status NetworkReadiness(Fiber& fiber, Broker& broker);

// --- A pod's attachment ---

// An ADD that has been prepared: what it will owe is on disk, and its workers are starting.
struct PreparedAttachment {
  PreparedAttachment();
  ~PreparedAttachment();
  AttachmentPtr attachment;
  std::unique_ptr<CniPair> workers;
};
// FAILED_PRECONDITION: no configuration.
absl::StatusOr<std::unique_ptr<PreparedAttachment>> PrepareAttachment(Fiber& fiber, Broker& broker,
                                                                      PodObject& pod);
// ADD, once the pod's network namespace is there. Notes the addresses in the pod. After an error
// DetachPod is to be called.
absl::Status AttachPod(Fiber& fiber, Broker& broker, PodObject& pod, PreparedAttachment& prepared);
// Instead of AttachPod: nothing is owed.
void AbandonAttachment(Broker& broker, const PreparedAttachment& prepared);
// Writes down that DEL is due, unless it is already.
absl::Status MakeDue(Broker& broker, const AttachmentPtr& attachment);
// Makes DEL due and lets it begin; returns when it is done, or cannot be done soon: then it goes on
// in the background, whatever becomes of the pod, until it succeeds. An error: not even that could
// be written down.
absl::Status DetachPod(Fiber& fiber, Broker& broker, const std::string& pod_id);
// CHECK of one pod's network. OK where it has none.
absl::Status CheckPodNetwork(Fiber& fiber, Broker& broker, const std::string& pod_id);

// --- All together ---

// Retries what is due, for ever. One fiber of the broker's does this.
void PayDebts(Fiber& fiber, Broker& broker);
// GC with the current configuration: plugins drop what belongs to no attachment that is not due.
absl::Status CollectNetworkGarbage(Fiber& fiber, Broker& broker);

// Subnets for CNI's ipRanges, as UpdateRuntimeConfig gave them: checked, and kept over restarts.
absl::Status SetPodRanges(Broker& broker, const std::vector<std::string>& subnets);
std::vector<std::string> PodRanges(const Broker& broker);

}  // namespace bulkhead::broker
