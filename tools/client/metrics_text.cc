#include "tools/client/metrics_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace bulkhead::tools {
namespace {

double Seconds(uint64_t micros) { return static_cast<double>(micros) / 1e6; }

std::string Escaped(absl::string_view label) {
  return absl::StrReplaceAll(label, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

void Head(std::string* text, const char* name, const char* type, const char* help) {
  absl::StrAppend(text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

void Gauge(std::string* text, const char* name, const char* help, uint64_t value) {
  Head(text, name, "gauge", help);
  absl::StrAppend(text, name, " ", value, "\n");
}

void Operations(std::string* text, schema::Admin::MetricsResults::Reader metrics) {
  constexpr char kName[] = "bulkhead_operation_duration_seconds";
  Head(text, kName, "histogram",
       "Calls that change something, from their arrival to their answer.");
  const auto bounds = metrics.getBoundsUs();
  for (schema::OperationMetric::Reader operation : metrics.getOperations()) {
    const std::string labels =
        absl::StrCat("operation=\"", Escaped(operation.getOperation().cStr()), "\",code=\"",
                     Escaped(operation.getOutcome().cStr()), "\"");
    const auto within = operation.getWithin();
    for (unsigned i = 0; i < bounds.size() && i < within.size(); ++i) {
      absl::StrAppendFormat(text, "%s_bucket{%s,le=\"%g\"} %d\n", kName, labels, Seconds(bounds[i]),
                            within[i]);
    }
    absl::StrAppendFormat(text, "%s_bucket{%s,le=\"+Inf\"} %d\n", kName, labels,
                          operation.getCount());
    absl::StrAppendFormat(text, "%s_sum{%s} %.6f\n", kName, labels, Seconds(operation.getMicros()));
    absl::StrAppendFormat(text, "%s_count{%s} %d\n", kName, labels, operation.getCount());
  }
}

void Steps(std::string* text, schema::Admin::MetricsResults::Reader metrics) {
  constexpr char kName[] = "bulkhead_step_duration_seconds";
  Head(text, kName, "summary", "Workers, steps of their jobs, the audit log and the database.");
  for (schema::StepMetric::Reader step : metrics.getSteps()) {
    const std::string name = Escaped(step.getName().cStr());
    absl::StrAppendFormat(text, "%s_sum{step=\"%s\"} %.6f\n", kName, name,
                          Seconds(step.getMicros()));
    absl::StrAppendFormat(text, "%s_count{step=\"%s\"} %d\n", kName, name, step.getCount());
  }
}

}  // namespace

std::string MetricsText(const AdminCounts& counts, size_t pulls, const AdminNetworks& networks,
                        schema::Admin::MetricsResults::Reader metrics) {
  std::string text;
  Gauge(&text, "bulkhead_pods", "Pods, ready or not.", counts.pods);
  Gauge(&text, "bulkhead_pods_ready", "Pods that are ready.", counts.ready_pods);
  Gauge(&text, "bulkhead_containers", "Containers, running or not.", counts.containers);
  Gauge(&text, "bulkhead_containers_running", "Containers that run.", counts.running_containers);
  Gauge(&text, "bulkhead_images", "Images.", counts.images);
  Gauge(&text, "bulkhead_workers", "Workers that have a job, monitors among them.", counts.workers);
  Gauge(&text, "bulkhead_workers_standing_by", "Workers that wait for a job.",
        counts.spares.size());
  Gauge(&text, "bulkhead_operations", "Calls under way.", counts.operations);
  Gauge(&text, "bulkhead_pulls", "Pulls under way or waiting for their turn.", pulls);
  Gauge(&text, "bulkhead_network_attachments", "Pods that have an address of CNI's.",
        networks.attachments);
  Gauge(&text, "bulkhead_network_deletes_owed", "Networks that are still to be undone.",
        networks.owed);
  Operations(&text, metrics);
  Steps(&text, metrics);
  return text;
}

}  // namespace bulkhead::tools
