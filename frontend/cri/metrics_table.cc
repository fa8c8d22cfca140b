#include "frontend/cri/metrics_table.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "frontend/cri/convert_stats.h"

namespace bulkhead::frontend {
namespace {

constexpr int64_t kNsPerSecond = 1000000000;
constexpr int64_t kUsPerSecond = 1000000;

using Values = std::vector<MetricValue>;
using Source = const MetricSource&;

schema::CgroupUsage::Reader Usage(Source s) { return s.container.getUsage(); }
schema::Resources::Reader Asked(Source s) { return s.container.getResources(); }

Values One(int64_t value) { return {{value}}; }
Values Seconds(int64_t ns) { return One(ns < 0 ? -1 : ns / kNsPerSecond); }
// Limits: none is told as 0.
Values Limit(int64_t value) { return One(std::max<int64_t>(value, 0)); }
// Always of the one file system that the writable layers lie on.
Values OnDisk(int64_t value) { return {{value, {"overlay"}}}; }
// -1 where the kernel has no such pressure.
Values Stalled(schema::Pressure::Reader pressure, schema::Pressure::Stall::Reader stall) {
  return One(pressure.getKnown() ? static_cast<int64_t>(stall.getTotalUs()) / kUsPerSecond : -1);
}

constexpr v1::MetricType kCounter = v1::COUNTER;
constexpr v1::MetricType kGauge = v1::GAUGE;

// clang-format off
const std::vector<ContainerMetric>& Processor() {
  static const auto& table = *new std::vector<ContainerMetric>{
    {"container_cpu_usage_seconds_total", "Time of processors used", kCounter, {},
     [](Source s) { return Seconds(Usage(s).getCpuNs()); }},
    {"container_cpu_user_seconds_total", "Time of processors used in user mode", kCounter, {},
     [](Source s) { return Seconds(Usage(s).getCpuUserNs()); }},
    {"container_cpu_system_seconds_total", "Time of processors used by the kernel", kCounter, {},
     [](Source s) { return Seconds(Usage(s).getCpuSystemNs()); }},
    {"container_cpu_cfs_periods_total", "Periods of the scheduler's bandwidth limit", kCounter, {},
     [](Source s) { return One(Usage(s).getCpuPeriods()); }},
    {"container_cpu_cfs_throttled_periods_total", "Periods in which the limit was hit", kCounter, {},
     [](Source s) { return One(Usage(s).getCpuThrottledPeriods()); }},
    {"container_cpu_cfs_throttled_seconds_total", "Time spent waiting for the next period", kCounter, {},
     [](Source s) { return Seconds(Usage(s).getCpuThrottledNs()); }},
    {"container_pressure_cpu_waiting_seconds_total", "Time in which some tasks waited for a processor", kCounter, {},
     [](Source s) { return Stalled(Usage(s).getCpuPressure(), Usage(s).getCpuPressure().getSome()); }},
    {"container_pressure_cpu_stalled_seconds_total", "Time in which all tasks waited for a processor", kCounter, {},
     [](Source s) { return Stalled(Usage(s).getCpuPressure(), Usage(s).getCpuPressure().getFull()); }},
    {"container_spec_cpu_period", "Period of the bandwidth limit, in microseconds", kGauge, {},
     [](Source s) { return Limit(Asked(s).getCpuPeriod()); }},
    {"container_spec_cpu_quota", "Bandwidth limit, in microseconds a period", kGauge, {},
     [](Source s) { return Limit(Asked(s).getCpuQuota()); }},
    {"container_spec_cpu_shares", "Share of processors where they are short", kGauge, {},
     [](Source s) { return Limit(Asked(s).getCpuShares()); }},
  };
  return table;
}

const std::vector<ContainerMetric>& Memory() {
  static const auto& table = *new std::vector<ContainerMetric>{
    {"container_memory_usage_bytes", "Memory in use, whenever it was last touched", kGauge, {},
     [](Source s) { return One(Usage(s).getMemoryBytes()); }},
    {"container_memory_working_set_bytes", "Memory that cannot be given back at once", kGauge, {},
     [](Source s) { return One(WorkingSet(Usage(s))); }},
    {"container_memory_max_usage_bytes", "Most memory that was in use at one time", kGauge, {},
     [](Source s) { return One(Usage(s).getMemoryPeakBytes()); }},
    {"container_memory_rss", "Anonymous memory", kGauge, {},
     [](Source s) { return One(Usage(s).getRssBytes()); }},
    {"container_memory_cache", "Page cache", kGauge, {},
     [](Source s) { return One(Usage(s).getCacheBytes()); }},
    {"container_memory_mapped_file", "Mapped files", kGauge, {},
     [](Source s) { return One(Usage(s).getMappedFileBytes()); }},
    {"container_memory_kernel_usage", "Memory of the kernel's own", kGauge, {},
     [](Source s) { return One(Usage(s).getMemoryKernelBytes()); }},
    // 0 where the kernel does not account for swap: there is none then.
    {"container_memory_swap", "Swap in use", kGauge, {},
     [](Source s) { return Limit(Usage(s).getSwapBytes()); }},
    {"container_memory_failcnt", "How often the limit was hit", kCounter, {},
     [](Source s) { return One(Usage(s).getMemoryFailures()); }},
    {"container_memory_failures_total", "Page faults", kCounter, {"failure_type", "scope"},
     [](Source s) { return Values{{Usage(s).getPageFaults(), {"pgfault", "container"}},
                                  {Usage(s).getMajorPageFaults(), {"pgmajfault", "container"}}}; }},
    {"container_oom_events_total", "Processes killed for want of memory", kCounter, {},
     [](Source s) { return One(Usage(s).getOomKills()); }},
    {"container_pressure_memory_waiting_seconds_total", "Time in which some tasks waited for memory", kCounter, {},
     [](Source s) { return Stalled(Usage(s).getMemoryPressure(), Usage(s).getMemoryPressure().getSome()); }},
    {"container_pressure_memory_stalled_seconds_total", "Time in which all tasks waited for memory", kCounter, {},
     [](Source s) { return Stalled(Usage(s).getMemoryPressure(), Usage(s).getMemoryPressure().getFull()); }},
    {"container_spec_memory_limit_bytes", "Limit of memory; 0: none", kGauge, {},
     [](Source s) { return Limit(Usage(s).getMemoryLimit()); }},
    {"container_spec_memory_swap_limit_bytes", "Limit of swap; 0: none", kGauge, {},
     [](Source s) { return Limit(Usage(s).getSwapLimit()); }},
  };
  return table;
}

const std::vector<ContainerMetric>& Disk() {
  static const auto& table = *new std::vector<ContainerMetric>{
    {"container_fs_usage_bytes", "Bytes of the writable layer", kGauge, {"device"},
     [](Source s) { return OnDisk(static_cast<int64_t>(s.container.getDiskBytes())); }},
    {"container_fs_limit_bytes", "Size of the file system with the writable layer", kGauge, {"device"},
     [](Source s) { return OnDisk(static_cast<int64_t>(s.node.getFsBytes())); }},
    {"container_fs_inodes_total", "Inodes of the file system with the writable layer", kGauge, {"device"},
     [](Source s) { return OnDisk(static_cast<int64_t>(s.node.getFsInodes())); }},
    {"container_fs_inodes_free", "Free inodes of the file system with the writable layer", kGauge, {"device"},
     [](Source s) { return OnDisk(static_cast<int64_t>(s.node.getFsInodesFree())); }},
    {"container_fs_reads_bytes_total", "Bytes read from block devices", kCounter, {"device"},
     [](Source s) { return Values{{Usage(s).getIoReadBytes(), {"all"}}}; }},
    {"container_fs_reads_total", "Reads from block devices", kCounter, {"device"},
     [](Source s) { return Values{{Usage(s).getIoReads(), {"all"}}}; }},
    {"container_fs_writes_bytes_total", "Bytes written to block devices", kCounter, {"device"},
     [](Source s) { return Values{{Usage(s).getIoWriteBytes(), {"all"}}}; }},
    {"container_fs_writes_total", "Writes to block devices", kCounter, {"device"},
     [](Source s) { return Values{{Usage(s).getIoWrites(), {"all"}}}; }},
    {"container_blkio_device_usage_total", "Bytes moved from and to block devices", kCounter, {"device", "operation"},
     [](Source s) { return Values{{Usage(s).getIoReadBytes(), {"all", "Read"}},
                                  {Usage(s).getIoWriteBytes(), {"all", "Write"}}}; }},
    {"container_pressure_io_waiting_seconds_total", "Time in which some tasks waited for a device", kCounter, {},
     [](Source s) { return Stalled(Usage(s).getIoPressure(), Usage(s).getIoPressure().getSome()); }},
    {"container_pressure_io_stalled_seconds_total", "Time in which all tasks waited for a device", kCounter, {},
     [](Source s) { return Stalled(Usage(s).getIoPressure(), Usage(s).getIoPressure().getFull()); }},
    {"container_log_lost_bytes_total", "Output that the log did not take, as on a full disk", kCounter, {},
     [](Source s) { return One(static_cast<int64_t>(s.container.getLostLogBytes())); }},
  };
  return table;
}

const std::vector<ContainerMetric>& Tasks() {
  static const auto& table = *new std::vector<ContainerMetric>{
    {"container_processes", "Processes", kGauge, {},
     [](Source s) { return One(Usage(s).getProcesses()); }},
    {"container_threads", "Threads, those of all processes", kGauge, {},
     [](Source s) { return One(Usage(s).getTasks()); }},
    {"container_threads_max", "Limit of threads; 0: none", kGauge, {},
     [](Source s) { return Limit(Usage(s).getTasksLimit()); }},
    {"container_file_descriptors", "Open descriptors of all processes", kGauge, {},
     [](Source s) { return One(s.container.getDescriptors()); }},
    {"container_sockets", "Open descriptors that are sockets", kGauge, {},
     [](Source s) { return One(s.container.getSockets()); }},
    {"container_start_time_seconds", "When it was started, in seconds since 1970", kGauge, {},
     [](Source s) { return Seconds(s.container.getStartedAtNs()); }},
    {"container_last_seen", "When this was measured, in seconds since 1970", kGauge, {},
     [](Source s) { return Seconds(Usage(s).getTimestampNs()); }},
  };
  return table;
}

constexpr InterfaceMetric kInterfaces[] = {
    {"container_network_receive_bytes_total", "Bytes received",
     [](auto interface) { return interface.getRxBytes(); }},
    {"container_network_receive_packets_total", "Packets received",
     [](auto interface) { return interface.getRxPackets(); }},
    {"container_network_receive_packets_dropped_total", "Packets dropped while receiving",
     [](auto interface) { return interface.getRxDropped(); }},
    {"container_network_receive_errors_total", "Errors while receiving",
     [](auto interface) { return interface.getRxErrors(); }},
    {"container_network_transmit_bytes_total", "Bytes sent",
     [](auto interface) { return interface.getTxBytes(); }},
    {"container_network_transmit_packets_total", "Packets sent",
     [](auto interface) { return interface.getTxPackets(); }},
    {"container_network_transmit_packets_dropped_total", "Packets dropped while sending",
     [](auto interface) { return interface.getTxDropped(); }},
    {"container_network_transmit_errors_total", "Errors while sending",
     [](auto interface) { return interface.getTxErrors(); }},
};
// clang-format on

}  // namespace

const std::vector<ContainerMetric>& ContainerMetrics() {
  static const auto& all = *new std::vector<ContainerMetric>([] {
    std::vector<ContainerMetric> joined;
    for (const auto* part : {&Processor(), &Memory(), &Disk(), &Tasks()}) {
      joined.insert(joined.end(), part->begin(), part->end());
    }
    return joined;
  }());
  return all;
}

absl::Span<const InterfaceMetric> InterfaceMetrics() { return kInterfaces; }

}  // namespace bulkhead::frontend
