#include "absl/time/clock.h"
#include "base/status.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/convert_stats.h"
#include "frontend/cri/metrics_table.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

// Values of kBaseLabels.
using Base = std::vector<std::string>;

v1::MetricDescriptor* Describe(const char* name, const char* help,
                               v1::ListMetricDescriptorsResponse& response) {
  v1::MetricDescriptor* out = response.add_descriptors();
  out->set_name(name);
  out->set_help(help);
  for (const char* label : kBaseLabels) out->add_label_keys(label);
  return out;
}

v1::Metric* Add(const char* name, v1::MetricType type, int64_t at_ns, const Base& base,
                uint64_t value, google::protobuf::RepeatedPtrField<v1::Metric>* metrics) {
  v1::Metric* out = metrics->Add();
  out->set_name(name);
  out->set_timestamp(at_ns);
  out->set_metric_type(type);
  for (const std::string& label : base) out->add_label_values(label);
  out->mutable_value()->set_value(value);
  return out;
}

void AddContainer(const MetricSource& source, schema::PodConfig::Reader pod,
                  v1::ContainerMetrics* out) {
  const auto in = source.container;
  out->set_container_id(String(in.getId()));
  const Base base = {String(in.getId()),   String(in.getName()),  String(in.getImage()),
                     String(in.getName()), String(pod.getName()), String(pod.getNamespace())};
  for (const ContainerMetric& metric : ContainerMetrics()) {
    for (const MetricValue& one : metric.values(source)) {
      if (one.value < 0) continue;
      v1::Metric* added = Add(metric.name, metric.type, in.getUsage().getTimestampNs(), base,
                              static_cast<uint64_t>(one.value), out->mutable_metrics());
      for (const std::string& label : one.labels) added->add_label_values(label);
    }
  }
}

void AddPod(schema::PodStats::Reader in, schema::Broker::PodStatsResults::Reader node,
            v1::PodSandboxMetrics* out) {
  out->set_pod_sandbox_id(String(in.getId()));
  const auto config = in.getConfig();
  const Base base = {String(in.getId()),           "", "", "", String(config.getName()),
                     String(config.getNamespace())};
  for (const auto interface : in.getNetwork().getInterfaces()) {
    for (const InterfaceMetric& metric : InterfaceMetrics()) {
      Add(metric.name, v1::COUNTER, in.getNetwork().getTimestampNs(), base, metric.value(interface),
          out->mutable_metrics())
          ->add_label_values(InterfaceName(interface.getName()));
    }
  }
  for (const auto container : in.getContainers()) {
    if (!container.getRunning()) continue;
    AddContainer({container, node}, config, out->add_container_metrics());
  }
}

}  // namespace

absl::Status ListMetricDescriptors(const Call&, const v1::ListMetricDescriptorsRequest&,
                                   v1::ListMetricDescriptorsResponse& response) {
  for (const ContainerMetric& metric : ContainerMetrics()) {
    v1::MetricDescriptor* out = Describe(metric.name, metric.help, response);
    for (const char* label : metric.labels) out->add_label_keys(label);
  }
  for (const InterfaceMetric& metric : InterfaceMetrics()) {
    Describe(metric.name, metric.help, response)->add_label_keys("interface");
  }
  return absl::OkStatus();
}

absl::Status ListPodSandboxMetrics(const Call& call, const v1::ListPodSandboxMetricsRequest&,
                                   v1::ListPodSandboxMetricsResponse& response) {
  Question<Broker::PodStatsParams> question;
  question.params().setHandles(true);
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::podStatsRequest, question));
  for (const auto pod : answer.results().getPods()) {
    AddPod(pod, answer.results(), response.add_pod_metrics());
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
