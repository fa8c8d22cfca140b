#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/fiber.h"
#include "broker/state/events.h"
#include "broker/state/record.h"
#include "broker/state/store.h"
#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/pod.capnp.h"
#include "schema/worker/launch.capnp.h"

// All that the broker knows, in memory, mirrored row by row in the store. Objects are shared
// pointers, because an operation may still hold one that another has just removed; its phase then
// says so.
namespace bulkhead::broker {

// How far an operation on a pod or container has come. Written before the operation's first effect
// and after its last, so recovery knows what to undo (creating) or finish (removing).
enum class Phase { kCreating = 1, kActive = 2, kRemoving = 3, kGone = 4 };

class InitLink;
class MonitorLink;

// What has been told of an object to those who follow events; each comes after the ones before it.
enum class Told { kNothing, kCreated, kStarted, kStopped };

struct PodObject {
  std::string id;
  Record<schema::Pod> record;
  Phase phase = Phase::kCreating;
  FiberMutex mutex;                // orders run, stop, remove, and the making of containers in it
  std::shared_ptr<InitLink> init;  // of its shared PID namespace, where it has one
  Told told = Told::kNothing;
};
using PodPtr = std::shared_ptr<PodObject>;

struct ContainerObject {
  std::string id;
  Record<schema::Container> record;
  Record<schema::ContainerSpec> spec;
  Phase phase = Phase::kCreating;
  FiberMutex mutex;  // orders start, stop and remove
  std::shared_ptr<MonitorLink> monitor;
  std::string config_digest;  // SHA-256 of its config.json; empty: made before this process began
  Told told = Told::kNothing;
};
using ContainerPtr = std::shared_ptr<ContainerObject>;

// How far it has come. A pod is made and started at once.
Told Reached(const PodObject& pod);
Told Reached(const ContainerObject& container);

struct LayerObject {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
  // Not empty: it may not be on the disk yet. The boot, in hex, in which it was made: after another
  // one it is no layer.
  std::string written_in_boot = {};
  std::string
      seal;  // what a check worker hashed it to after it was unpacked, 32 bytes; empty: not yet
  bool damaged = false;  // found to be so by a check since the start: nothing may use it
};

// What a pull needs, kept for it although no image has it yet: a pull that is cut off is resumed by
// the next one of the same name, with all that was verified until then.
struct PullLease {
  int64_t expires_at_ns = 0;      // wall clock
  std::set<std::string> digests;  // hex, of blobs and of layers
};

// A pod's network, from before ADD until DEL is done: it may outlive the pod. By the pod's id.
struct AttachmentObject {
  std::string pod_id;
  Record<schema::NetworkAttachment> record;
  bool paying = false;                         // a DEL is under way
  absl::Time next_try = absl::InfinitePast();  // of DEL, where it is due
};
using AttachmentPtr = std::shared_ptr<AttachmentObject>;

class State {
 public:
  // Reads everything. A row that cannot be read is reported, kept and skipped: it costs itself
  // alone.
  static absl::StatusOr<std::unique_ptr<State>> Load(std::unique_ptr<Store> store);

  // Writes the object's row, then remembers it.
  absl::Status Save(const PodPtr& pod);
  absl::Status Save(const ContainerPtr& container);
  absl::Status Save(const AttachmentPtr& attachment, Durability durability);
  // Small things that are not objects, by name.
  absl::Status SaveSetting(const std::string& name, const std::string& value);
  absl::Status SaveImage(Record<schema::Image> image);
  absl::Status SaveLayer(const std::string& diff_id_hex, LayerObject layer);
  // Forgets the object and its row.
  absl::Status Forget(const PodPtr& pod);
  absl::Status Forget(const ContainerPtr& container);
  absl::Status Forget(const AttachmentPtr& attachment);
  absl::Status ForgetImage(const std::string& id);
  absl::Status ForgetLayer(const std::string& diff_id_hex);
  absl::Status SavePull(const std::string& name, PullLease lease);
  absl::Status ForgetPull(const std::string& name);
  // Of a layer that is known. Not stored: the next check finds it again.
  void MarkLayerDamaged(const std::string& diff_id_hex) { layers_[diff_id_hex].damaged = true; }

  // By id or a unique prefix of one. NOT_FOUND names the id; INVALID_ARGUMENT: no id at all, or
  // several fit.
  absl::StatusOr<PodPtr> FindPod(absl::string_view id) const;
  absl::StatusOr<ContainerPtr> FindContainer(absl::string_view id) const;
  // By key (see PodKey, ContainerKey); null where there is none.
  PodPtr FindPodByKey(absl::string_view key) const;
  ContainerPtr FindContainerByKey(absl::string_view key) const;
  // By image id (prefix), tag or digest reference, as normalised; null where there is none.
  const Record<schema::Image>* FindImage(absl::string_view name) const;

  // Saving and forgetting publish what has happened.
  Events& events() { return events_; }
  // A new subscription, which first tells what is there. RESOURCE_EXHAUSTED: see Events.
  absl::StatusOr<uint64_t> Follow();

  std::vector<ContainerPtr> ContainersOf(absl::string_view pod_id) const;
  const std::map<std::string, PodPtr>& pods() const { return pods_; }
  const std::map<std::string, ContainerPtr>& containers() const { return containers_; }
  // Null where the pod has none.
  AttachmentPtr FindAttachment(absl::string_view pod_id) const;
  const std::map<std::string, AttachmentPtr>& attachments() const { return attachments_; }
  // Empty where it was never saved.
  std::string Setting(const std::string& name) const;
  const std::map<std::string, Record<schema::Image>>& images() const { return images_; }
  const std::map<std::string, LayerObject>& layers() const { return layers_; }
  const std::map<std::string, PullLease>& pulls() const { return pulls_; }

 private:
  explicit State(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  absl::Status LoadAll();
  SnapshotPtr SnapshotOf(absl::string_view pod_id) const;
  void Publish(Events::Kind kind, const std::string& id, absl::string_view pod_id);
  void Observe(PodObject& pod);
  void Observe(ContainerObject& container);
  absl::Status LoadPulls();
  absl::Status LoadNetworks();

  std::unique_ptr<Store> store_;
  std::map<std::string, PodPtr> pods_;
  std::map<std::string, ContainerPtr> containers_;
  std::map<std::string, Record<schema::Image>> images_;
  std::map<std::string, LayerObject> layers_;
  Events events_;
  std::map<std::string, PullLease> pulls_;
  std::map<std::string, AttachmentPtr> attachments_;
  std::map<std::string, std::string> settings_;
};

// What a retried request is recognised by.
std::string PodKey(schema::PodConfig::Reader config);
std::string ContainerKey(absl::string_view pod_id, schema::ContainerConfig::Reader config);

}  // namespace bulkhead::broker
