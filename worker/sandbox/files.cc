#include "worker/sandbox/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "worker/sandbox/dns.h"
#include "worker/sandbox/pod_directory.h"

namespace bulkhead::sandbox {
namespace {

constexpr char kNodeResolvConf[] = "/etc/resolv.conf";
constexpr char kNodeHostname[] = "/proc/sys/kernel/hostname";
constexpr size_t kMaxResolvConfBytes = 64 << 10;
constexpr size_t kMaxHostnameBytes = 64;  // the kernel's __NEW_UTS_LEN
constexpr mode_t kMode = 0644;

absl::Status WriteFile(int pod, const char* name, absl::string_view text) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd,
                            base::OpenAt(pod, name, O_WRONLY | O_CREAT | O_EXCL,
                                         base::Resolve::kBeneathNoSymlinks, kMode));
  // Whatever the umask is.
  if (fchmod(fd.get(), kMode) != 0) return base::ErrnoStatus(absl::StrCat("chmod ", name));
  return base::Annotate(base::WriteAll(fd.get(), text), name);
}

absl::StatusOr<std::string> ResolvConf(schema::SandboxJob::Make::Reader make) {
  if (HasDns(make)) return ComposeResolvConf(make);
  absl::StatusOr<std::string> text = base::ReadFile(kNodeResolvConf, kMaxResolvConfBytes);
  // A node without one has the resolver's defaults, and so has the pod.
  if (absl::IsNotFound(text.status())) return std::string();
  return text;
}

absl::StatusOr<std::string> Hostname(schema::SandboxJob::Make::Reader make) {
  if (make.getNewUts() && make.getHostname().size() > 0) {
    return absl::StrCat(make.getHostname().cStr(), "\n");
  }
  return base::ReadFile(kNodeHostname, 2 * kMaxHostnameBytes);
}

}  // namespace

absl::Status CheckHostname(absl::string_view hostname) {
  const bool good = !hostname.empty() && hostname.size() <= kMaxHostnameBytes &&
                    std::all_of(hostname.begin(), hostname.end(), [](char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '-';
                    });
  return good ? absl::OkStatus() : absl::InvalidArgumentError("config.hostname: not a host name");
}

absl::Status WriteFiles(int pod, schema::SandboxJob::Make::Reader make) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string resolv_conf, ResolvConf(make));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string hostname, Hostname(make));
  BULKHEAD_RETURN_IF_ERROR(WriteFile(pod, kResolvConf, resolv_conf));
  return WriteFile(pod, kHostname, hostname);
}

}  // namespace bulkhead::sandbox
