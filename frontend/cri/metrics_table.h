#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cri/v1/api.pb.h"
#include "schema/broker.capnp.h"

// The metrics of ListMetricDescriptors, by the names that cAdvisor gave them and dashboards know.
// CRI carries whole numbers alone: seconds are cut.
namespace bulkhead::frontend {

namespace v1 = ::runtime::v1;

// What a value is taken from.
struct MetricSource {
  schema::ContainerStats::Reader container;
  schema::Broker::PodStatsResults::Reader node;
};

// One value, with the labels that it has beyond those of all metrics.
struct MetricValue {
  int64_t value;  // -1: not known, and so not told
  std::vector<std::string> labels = {};
};

struct ContainerMetric {
  const char* name;
  const char* help;
  v1::MetricType type;
  std::vector<const char*> labels;  // beyond those of all metrics
  std::vector<MetricValue> (*values)(const MetricSource& source);
};

struct InterfaceMetric {
  const char* name;
  const char* help;
  uint64_t (*value)(schema::NetworkUsage::Interface::Reader interface);
};

// Those of all metrics, in the order of their values.
inline constexpr const char* kBaseLabels[] = {"id",        "name", "image",
                                              "container", "pod",  "namespace"};

const std::vector<ContainerMetric>& ContainerMetrics();
// Of a pod; one more label, the interface.
absl::Span<const InterfaceMetric> InterfaceMetrics();

}  // namespace bulkhead::frontend
