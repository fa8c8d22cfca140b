#include "broker/server/filter.h"

#include "absl/strings/match.h"

namespace bulkhead::broker {
namespace {

using Labels = capnp::List<schema::Label>::Reader;

bool HasLabels(Labels labels, Labels wanted) {
  for (auto want : wanted) {
    bool found = false;
    for (auto label : labels) {
      found |= label.getKey() == want.getKey() && label.getValue() == want.getValue();
    }
    if (!found) return false;
  }
  return true;
}

bool HasPrefix(absl::string_view id, capnp::Text::Reader prefix) {
  return absl::StartsWith(id, absl::string_view(prefix.cStr(), prefix.size()));
}

}  // namespace

bool Matches(const PodObject& pod, schema::PodFilter::Reader filter) {
  auto record = pod.record.read();
  if (!HasPrefix(pod.id, filter.getId())) return false;
  if (filter.getHasState() && record.getState() != filter.getState()) return false;
  return HasLabels(record.getConfig().getLabels(), filter.getLabels());
}

bool Matches(const ContainerObject& container, schema::ContainerFilter::Reader filter) {
  auto record = container.record.read();
  if (!HasPrefix(container.id, filter.getId())) return false;
  if (!HasPrefix(record.getPodId().cStr(), filter.getPodId())) return false;
  if (filter.getHasState() && record.getState() != filter.getState()) return false;
  return HasLabels(record.getConfig().getLabels(), filter.getLabels());
}

}  // namespace bulkhead::broker
