#include "frontend/cri/convert_stats.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {
namespace {

constexpr char kDefaultInterface[] = "eth0";

// value: a function that gives CRI's message for an optional number; called only where there is
// one.
template <typename Message>
void Set(int64_t value, Message message) {
  if (value >= 0) message()->set_value(static_cast<uint64_t>(value));
}

void FromStall(schema::Pressure::Stall::Reader in, v1::PsiData* out) {
  out->set_total(in.getTotalUs());
  out->set_avg10(in.getAvg10());
  out->set_avg60(in.getAvg60());
  out->set_avg300(in.getAvg300());
}

template <typename Message>
void FromPressure(schema::Pressure::Reader in, Message* out) {
  if (!in.getKnown()) return;
  FromStall(in.getSome(), out->mutable_psi()->mutable_some());
  FromStall(in.getFull(), out->mutable_psi()->mutable_full());
}

void FromCpu(schema::CgroupUsage::Reader in, int64_t nano_cores, v1::CpuUsage* out) {
  out->set_timestamp(in.getTimestampNs());
  Set(in.getCpuNs(), [&] { return out->mutable_usage_core_nano_seconds(); });
  Set(nano_cores, [&] { return out->mutable_usage_nano_cores(); });
  FromPressure(in.getCpuPressure(), out);
}

void FromMemory(schema::CgroupUsage::Reader in, v1::MemoryUsage* out) {
  out->set_timestamp(in.getTimestampNs());
  const int64_t working_set = WorkingSet(in);
  Set(working_set, [&] { return out->mutable_working_set_bytes(); });
  if (in.getMemoryLimit() >= 0 && working_set >= 0) {
    Set(std::max<int64_t>(in.getMemoryLimit() - working_set, 0),
        [&] { return out->mutable_available_bytes(); });
  }
  Set(in.getMemoryBytes(), [&] { return out->mutable_usage_bytes(); });
  Set(in.getRssBytes(), [&] { return out->mutable_rss_bytes(); });
  Set(in.getPageFaults(), [&] { return out->mutable_page_faults(); });
  Set(in.getMajorPageFaults(), [&] { return out->mutable_major_page_faults(); });
  FromPressure(in.getMemoryPressure(), out);
}

void FromSwap(schema::CgroupUsage::Reader in, v1::SwapUsage* out) {
  out->set_timestamp(in.getTimestampNs());
  Set(in.getSwapBytes(), [&] { return out->mutable_swap_usage_bytes(); });
  if (in.getSwapLimit() < 0) return;
  Set(std::max<int64_t>(in.getSwapLimit() - in.getSwapBytes(), 0),
      [&] { return out->mutable_swap_available_bytes(); });
}

void FromIo(schema::CgroupUsage::Reader in, v1::IoUsage* out) {
  out->set_timestamp(in.getTimestampNs());
  FromPressure(in.getIoPressure(), out);
}

void FromInterface(schema::NetworkUsage::Interface::Reader in, v1::NetworkInterfaceUsage* out) {
  out->set_name(InterfaceName(in.getName()));
  out->mutable_rx_bytes()->set_value(in.getRxBytes());
  out->mutable_rx_errors()->set_value(in.getRxErrors());
  out->mutable_tx_bytes()->set_value(in.getTxBytes());
  out->mutable_tx_errors()->set_value(in.getTxErrors());
}

void FromNetwork(schema::NetworkUsage::Reader in, v1::NetworkUsage* out) {
  out->set_timestamp(in.getTimestampNs());
  for (const auto interface : in.getInterfaces()) {
    const bool main = interface.getName() == kDefaultInterface;
    FromInterface(interface, main ? out->mutable_default_interface() : out->add_interfaces());
  }
}

}  // namespace

int64_t WorkingSet(schema::CgroupUsage::Reader usage) {
  if (usage.getMemoryBytes() < 0) return -1;
  return std::max<int64_t>(
      usage.getMemoryBytes() - std::max<int64_t>(usage.getInactiveFileBytes(), 0), 0);
}

std::string InterfaceName(capnp::Text::Reader name) {
  return absl::Utf8SafeCHexEscape(String(name));
}

void FromContainerStats(schema::ContainerStats::Reader in, const std::string& mountpoint,
                        v1::ContainerStats* out) {
  v1::ContainerAttributes* attributes = out->mutable_attributes();
  attributes->set_id(String(in.getId()));
  attributes->mutable_metadata()->set_name(String(in.getName()));
  attributes->mutable_metadata()->set_attempt(in.getAttempt());
  FromLabels(in.getLabels(), attributes->mutable_labels());
  FromLabels(in.getAnnotations(), attributes->mutable_annotations());
  if (in.getDiskTimestampNs() > 0) {
    v1::FilesystemUsage* disk = out->mutable_writable_layer();
    disk->set_timestamp(in.getDiskTimestampNs());
    disk->mutable_fs_id()->set_mountpoint(mountpoint);
    disk->mutable_used_bytes()->set_value(in.getDiskBytes());
    disk->mutable_inodes_used()->set_value(in.getDiskInodes());
  }
  if (!in.getRunning()) return;
  FromCpu(in.getUsage(), in.getNanoCores(), out->mutable_cpu());
  FromMemory(in.getUsage(), out->mutable_memory());
  FromSwap(in.getUsage(), out->mutable_swap());
  FromIo(in.getUsage(), out->mutable_io());
}

void FromPodStats(schema::PodStats::Reader in, const std::string& mountpoint,
                  v1::PodSandboxStats* out) {
  const auto config = in.getConfig();
  v1::PodSandboxAttributes* attributes = out->mutable_attributes();
  attributes->set_id(String(in.getId()));
  attributes->mutable_metadata()->set_name(String(config.getName()));
  attributes->mutable_metadata()->set_uid(String(config.getUid()));
  attributes->mutable_metadata()->set_namespace_(String(config.getNamespace()));
  attributes->mutable_metadata()->set_attempt(config.getAttempt());
  FromLabels(config.getLabels(), attributes->mutable_labels());
  FromLabels(config.getAnnotations(), attributes->mutable_annotations());
  v1::LinuxPodSandboxStats* linux = out->mutable_linux();
  if (in.getUsage().getTimestampNs() > 0) {
    FromCpu(in.getUsage(), in.getNanoCores(), linux->mutable_cpu());
    FromMemory(in.getUsage(), linux->mutable_memory());
    FromIo(in.getUsage(), linux->mutable_io());
    linux->mutable_process()->set_timestamp(in.getUsage().getTimestampNs());
    Set(in.getUsage().getTasks(),
        [&] { return linux->mutable_process()->mutable_process_count(); });
  }
  if (in.getHasNetwork()) FromNetwork(in.getNetwork(), linux->mutable_network());
  for (const auto container : in.getContainers()) {
    FromContainerStats(container, mountpoint, linux->add_containers());
  }
}

}  // namespace bulkhead::frontend
