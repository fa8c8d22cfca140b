#include "security/workload/defaults.h"

#include <linux/capability.h>

namespace bulkhead::security {
namespace {

constexpr int kCapabilities[] = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,
    CAP_MKNOD,   CAP_NET_RAW,      CAP_SETGID,           CAP_SETUID,
    CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
    CAP_KILL,    CAP_AUDIT_WRITE,
};

constexpr absl::string_view kMasked[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
};

constexpr absl::string_view kReadonly[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

}  // namespace

uint64_t DefaultCapabilities() {
  uint64_t mask = 0;
  for (int number : kCapabilities) mask |= uint64_t{1} << number;
  return mask;
}

absl::Span<const absl::string_view> DefaultMaskedPaths() { return kMasked; }
absl::Span<const absl::string_view> DefaultReadonlyPaths() { return kReadonly; }

}  // namespace bulkhead::security
