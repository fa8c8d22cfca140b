#include "broker/state/state.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"

namespace bulkhead::broker {
namespace {

constexpr char kDigestPrefix[] = "sha256:";

// An exact id, else the only one that begins with it.
template <typename Map>
absl::StatusOr<typename Map::mapped_type> FindByPrefix(absl::string_view what, const Map& objects,
                                                       absl::string_view id) {
  if (!base::IsIdPrefix(id)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " id: must be 1 to 64 lower-case hex digits"));
  }
  auto first = objects.lower_bound(std::string(id));
  if (first == objects.end() || !absl::StartsWith(first->first, id)) {
    return absl::NotFoundError(absl::StrCat(what, " ", id, ": not found"));
  }
  auto second = std::next(first);
  if (first->first != id && second != objects.end() && absl::StartsWith(second->first, id)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", id, ": the prefix fits several"));
  }
  return first->second;
}

template <typename List>
bool Contains(const List& list, absl::string_view text) {
  for (auto entry : list) {
    if (absl::string_view(entry.cStr(), entry.size()) == text) return true;
  }
  return false;
}

}  // namespace

std::string PodKey(schema::PodConfig::Reader config) {
  // A newline cannot be in any of these, so no two keys can be made to meet.
  return absl::StrCat(config.getNamespace().cStr(), "\n", config.getName().cStr(), "\n",
                      config.getUid().cStr(), "\n", config.getAttempt());
}

std::string ContainerKey(absl::string_view pod_id, schema::ContainerConfig::Reader config) {
  return absl::StrCat(pod_id, "\n", config.getName().cStr(), "\n", config.getAttempt());
}

absl::StatusOr<std::unique_ptr<State>> State::Load(std::unique_ptr<Store> store) {
  std::unique_ptr<State> state(new State(std::move(store)));
  BULKHEAD_RETURN_IF_ERROR(state->LoadAll());
  return state;
}

absl::Status State::LoadAll() {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> pods, store_->Load(Table::kPods));
  for (const Row& row : pods) {
    auto record = Record<schema::Pod>::Parse(row.record);
    if (!record.ok()) {
      ReportBadRow("pods", row, record.status());
      continue;
    }
    auto pod = std::make_shared<PodObject>();
    pod->id = row.id;
    pod->record = *std::move(record);
    pod->phase = static_cast<Phase>(row.phase);
    pod->told = Reached(*pod);
    pods_[row.id] = pod;
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> containers, store_->Load(Table::kContainers));
  for (const Row& row : containers) {
    auto record = Record<schema::Container>::Parse(row.record);
    auto spec = Record<schema::ContainerSpec>::Parse(row.extra);
    if (!record.ok() || !spec.ok()) {
      ReportBadRow("containers", row, record.ok() ? spec.status() : record.status());
      continue;
    }
    auto container = std::make_shared<ContainerObject>();
    container->id = row.id;
    container->record = *std::move(record);
    container->spec = *std::move(spec);
    container->phase = static_cast<Phase>(row.phase);
    container->told = Reached(*container);
    containers_[row.id] = container;
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> images, store_->Load(Table::kImages));
  for (const Row& row : images) {
    auto record = Record<schema::Image>::Parse(row.record);
    if (!record.ok()) {
      ReportBadRow("images", row, record.status());
      continue;
    }
    images_.insert_or_assign(row.id, *std::move(record));
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> layers, store_->Load(Table::kLayers));
  for (const Row& row : layers) {
    std::vector<std::string> numbers = absl::StrSplit(row.record, ' ');
    LayerObject layer;
    if (numbers.size() < 2 || numbers.size() > 3 || !absl::SimpleAtoi(numbers[0], &layer.bytes) ||
        !absl::SimpleAtoi(numbers[1], &layer.inodes)) {
      ReportBadRow("layers", row, absl::DataLossError("not two numbers"));
      continue;
    }
    if (numbers.size() == 3) layer.written_in_boot = numbers[2];
    layer.seal = row.extra;
    layers_[row.id] = layer;
  }
  BULKHEAD_RETURN_IF_ERROR(LoadPulls());
  return LoadNetworks();
}

absl::Status State::LoadPulls() {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<Row> pulls, store_->Load(Table::kPulls));
  for (const Row& row : pulls) {
    std::vector<std::string> words = absl::StrSplit(row.record, ' ');
    PullLease lease;
    if (!absl::SimpleAtoi(words[0], &lease.expires_at_ns)) {
      ReportBadRow("pulls", row, absl::DataLossError("no time"));
      continue;
    }
    lease.digests.insert(words.begin() + 1, words.end());
    pulls_[row.id] = std::move(lease);
  }
  return absl::OkStatus();
}

absl::Status State::SavePull(const std::string& name, PullLease lease) {
  std::string record = absl::StrCat(lease.expires_at_ns);
  for (const std::string& digest : lease.digests) absl::StrAppend(&record, " ", digest);
  BULKHEAD_RETURN_IF_ERROR(
      store_->Put(Table::kPulls, {.id = name, .record = record}, Durability::kProcess));
  pulls_[name] = std::move(lease);
  return absl::OkStatus();
}

absl::Status State::ForgetPull(const std::string& name) {
  if (pulls_.erase(name) == 0) return absl::OkStatus();
  return store_->Delete(Table::kPulls, name, Durability::kProcess);
}

absl::Status State::Save(const PodPtr& pod) {
  BULKHEAD_RETURN_IF_ERROR(store_->Put(
      Table::kPods,
      {.id = pod->id, .phase = static_cast<int>(pod->phase), .record = pod->record.Serialize()},
      Durability::kProcess));
  pods_[pod->id] = pod;
  Observe(*pod);
  return absl::OkStatus();
}

absl::Status State::Save(const ContainerPtr& container) {
  BULKHEAD_RETURN_IF_ERROR(store_->Put(Table::kContainers,
                                       {.id = container->id,
                                        .phase = static_cast<int>(container->phase),
                                        .record = container->record.Serialize(),
                                        .extra = container->spec.Serialize()},
                                       Durability::kProcess));
  containers_[container->id] = container;
  Observe(*container);
  return absl::OkStatus();
}

absl::Status State::SaveImage(Record<schema::Image> image) {
  std::string id = image.read().getId().cStr();
  BULKHEAD_RETURN_IF_ERROR(
      store_->Put(Table::kImages, {.id = id, .record = image.Serialize()}, Durability::kPower));
  images_.insert_or_assign(id, std::move(image));
  return absl::OkStatus();
}

absl::Status State::SaveLayer(const std::string& diff_id_hex, LayerObject layer) {
  const bool written = layer.written_in_boot.empty();
  BULKHEAD_RETURN_IF_ERROR(store_->Put(
      Table::kLayers,
      {.id = diff_id_hex,
       .record =
           absl::StrCat(layer.bytes, " ", layer.inodes, written ? "" : " ", layer.written_in_boot),
       .extra = layer.seal},
      written ? Durability::kPower : Durability::kProcess));
  layers_[diff_id_hex] = layer;
  return absl::OkStatus();
}

absl::Status State::Forget(const PodPtr& pod) {
  BULKHEAD_RETURN_IF_ERROR(store_->Delete(Table::kPods, pod->id, Durability::kProcess));
  pod->phase = Phase::kGone;
  if (pod->told == Told::kStarted) Publish(Events::Kind::STOPPED, pod->id, pod->id);
  if (pod->told != Told::kNothing) Publish(Events::Kind::DELETED, pod->id, pod->id);
  pods_.erase(pod->id);
  return absl::OkStatus();
}

absl::Status State::Forget(const ContainerPtr& container) {
  BULKHEAD_RETURN_IF_ERROR(store_->Delete(Table::kContainers, container->id, Durability::kProcess));
  container->phase = Phase::kGone;
  containers_.erase(container->id);
  const std::string pod_id = container->record.read().getPodId().cStr();
  if (container->told == Told::kStarted) Publish(Events::Kind::STOPPED, container->id, pod_id);
  if (container->told != Told::kNothing) Publish(Events::Kind::DELETED, container->id, pod_id);
  return absl::OkStatus();
}

absl::Status State::ForgetImage(const std::string& id) {
  BULKHEAD_RETURN_IF_ERROR(store_->Delete(Table::kImages, id, Durability::kPower));
  images_.erase(id);
  return absl::OkStatus();
}

absl::Status State::ForgetLayer(const std::string& diff_id_hex) {
  BULKHEAD_RETURN_IF_ERROR(store_->Delete(Table::kLayers, diff_id_hex, Durability::kPower));
  layers_.erase(diff_id_hex);
  return absl::OkStatus();
}

absl::StatusOr<PodPtr> State::FindPod(absl::string_view id) const {
  return FindByPrefix("pod sandbox", pods_, id);
}

absl::StatusOr<ContainerPtr> State::FindContainer(absl::string_view id) const {
  return FindByPrefix("container", containers_, id);
}

PodPtr State::FindPodByKey(absl::string_view key) const {
  for (const auto& [id, pod] : pods_) {
    if (PodKey(pod->record.read().getConfig()) == key) return pod;
  }
  return nullptr;
}

ContainerPtr State::FindContainerByKey(absl::string_view key) const {
  for (const auto& [id, container] : containers_) {
    auto record = container->record.read();
    if (ContainerKey(record.getPodId().cStr(), record.getConfig()) == key) return container;
  }
  return nullptr;
}

const Record<schema::Image>* State::FindImage(absl::string_view name) const {
  for (const auto& [id, image] : images_) {
    auto reader = image.read();
    if (Contains(reader.getRepoTags(), name) || Contains(reader.getRepoDigests(), name)) {
      return &image;
    }
  }
  absl::string_view hex = absl::StripPrefix(name, kDigestPrefix);
  if (!base::IsIdPrefix(hex)) return nullptr;
  auto first = images_.lower_bound(absl::StrCat(kDigestPrefix, hex));
  if (first == images_.end() || !absl::StartsWith(first->first, absl::StrCat(kDigestPrefix, hex))) {
    return nullptr;
  }
  auto second = std::next(first);
  bool ambiguous =
      second != images_.end() && absl::StartsWith(second->first, absl::StrCat(kDigestPrefix, hex));
  return ambiguous ? nullptr : &first->second;
}

std::vector<ContainerPtr> State::ContainersOf(absl::string_view pod_id) const {
  std::vector<ContainerPtr> found;
  for (const auto& [id, container] : containers_) {
    if (absl::string_view(container->record.read().getPodId().cStr()) == pod_id) {
      found.push_back(container);
    }
  }
  return found;
}

}  // namespace bulkhead::broker
