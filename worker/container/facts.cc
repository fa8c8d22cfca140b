#include "worker/container/facts.h"

#include <capnp/message.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/cgroup.h"
#include "base/cgroup_path.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/status.h"
#include "validate/node_config.h"

namespace bulkhead::container {
namespace {

using base::UniqueFd;

constexpr int kMaxDeviceDepth = 8;
constexpr size_t kMaxDevices = 1024;
// Not devices of the node but file systems, links and terminals that a container has of its own.
constexpr absl::string_view kNotDevices[] = {"pts",  "shm",   "fd",     "mqueue", "console",
                                             "ptmx", "stdin", "stdout", "stderr"};

uint64_t BoundingSet() {
  uint64_t mask = 0;
  for (int number = 0; number <= CAP_LAST_CAP; ++number) {
    if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) mask |= uint64_t{1} << number;
  }
  return mask;
}

// Without CAP_SYS_RESOURCE a process can only make itself likelier to be killed.
int LowestOomScoreAdj(uint64_t bounding) {
  if ((bounding >> CAP_SYS_RESOURCE & 1) != 0) return -1000;
  int own = 0;
  const absl::StatusOr<std::string> text = base::ReadFile("/proc/self/oom_score_adj", 16);
  if (!text.ok() || !absl::SimpleAtoi(*text, &own)) return 0;
  return own;
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

DeviceFacts Describe(const struct stat& st, const std::string& path) {
  return {.path = path,
          .host = path,
          .type = S_ISBLK(st.st_mode) ? 'b' : 'c',
          .major = major(st.st_rdev),
          .minor = minor(st.st_rdev),
          .mode = st.st_mode & 07777,
          .uid = st.st_uid,
          .gid = st.st_gid,
          .access = "rwm"};
}

bool IsDevice(const struct stat& st) { return S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode); }

// The devices at path and below it, by their own names.
absl::Status Walk(const std::string& path, int depth, std::vector<DeviceFacts>* devices) {
  if (depth > kMaxDeviceDepth) return absl::OkStatus();
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
  if (dir == nullptr) return base::ErrnoStatus(absl::StrCat("list ", path));
  while (const dirent* entry = readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (std::find(std::begin(kNotDevices), std::end(kNotDevices), name) != std::end(kNotDevices)) {
      continue;
    }
    struct stat st;
    const std::string below = absl::StrCat(path, "/", name);
    if (lstat(below.c_str(), &st) != 0) continue;
    if (S_ISDIR(st.st_mode)) BULKHEAD_RETURN_IF_ERROR(Walk(below, depth + 1, devices));
    if (IsDevice(st)) devices->push_back(Describe(st, below));
    if (devices->size() > kMaxDevices) return absl::ResourceExhaustedError("devices: too many");
  }
  return absl::OkStatus();
}

absl::Status AddDevice(schema::Device::Reader device, std::vector<DeviceFacts>* devices) {
  const std::string host = device.getHostPath();
  const std::string inside = device.getContainerPath();
  const std::string access = device.getPermissions();
  if (!base::IsCleanAbsolutePath(host) || !base::IsCleanAbsolutePath(inside)) {
    return absl::InvalidArgumentError("device: not a clean absolute path");
  }
  if (access.find_first_not_of("rwm") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("device ", host, ": permissions not of r, w, m"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd,
                            base::OpenAt(AT_FDCWD, host, O_PATH, base::Resolve::kHost));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", host));
  std::vector<DeviceFacts> found;
  if (S_ISDIR(st.st_mode)) {
    BULKHEAD_RETURN_IF_ERROR(Walk(host, 0, &found));
    for (DeviceFacts& one : found) one.path = absl::StrCat(inside, one.path.substr(host.size()));
  } else if (IsDevice(st)) {
    found.push_back(Describe(st, host));
    found.back().path = inside;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("device ", host, ": is no device"));
  }
  for (DeviceFacts& one : found) {
    if (!access.empty()) one.access = access;
    devices->push_back(std::move(one));
  }
  return absl::OkStatus();
}

// The node's device, with what the spec says of mode and owner.
absl::Status AddCdiDevice(schema::CdiEdits::DeviceNode::Reader node,
                          std::vector<DeviceFacts>* devices) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckCdiDevice(node));
  capnp::MallocMessageBuilder message;
  auto device = message.initRoot<schema::Device>();
  device.setHostPath(node.getHostPath());
  device.setContainerPath(node.getPath());
  device.setPermissions(node.getPermissions());
  const size_t before = devices->size();
  BULKHEAD_RETURN_IF_ERROR(AddDevice(device, devices));
  for (size_t i = before; i < devices->size(); ++i) {
    DeviceFacts& added = (*devices)[i];
    if (node.getHasFileMode()) added.mode = node.getFileMode();
    if (node.getHasUid()) added.uid = node.getUid();
    if (node.getHasGid()) added.gid = node.getGid();
  }
  return absl::OkStatus();
}

void FindControllers(schema::LaunchJob::Reader job, Facts* facts) {
  const std::string mount = base::kCgroupMount;
  facts->cgroup_v2 = job.getCgroupMode() == schema::Host::CgroupMode::V2;
  if (!facts->cgroup_v2) {
    facts->has_hugetlb = Exists(absl::StrCat(mount, "/hugetlb/cgroup.procs"));
    facts->has_swap_limit = Exists(absl::StrCat(mount, "/memory/memory.memsw.limit_in_bytes"));
    return;
  }
  const absl::StatusOr<std::string> controllers =
      base::ReadFile(absl::StrCat(mount, "/cgroup.controllers"), 4096);
  facts->has_hugetlb = controllers.ok() && controllers->find("hugetlb") != std::string::npos;
  facts->has_swap_limit = Exists("/proc/swaps");  // the kernel has swap, so v2 can limit it
}

}  // namespace

Facts ProcessFacts(const Place& place) {
  Facts facts = {.container_id = place.container_id,
                 .bundle = place.bundle,
                 .pod_directory = place.pod_directory,
                 .bounding = BoundingSet()};
  facts.lowest_oom_score_adj = LowestOomScoreAdj(facts.bounding);
  return facts;
}

absl::StatusOr<Facts> GatherFacts(schema::LaunchJob::Reader job, const Place& place,
                                  size_t volumes) {
  const schema::ContainerSpec::Reader spec = job.getCreate();
  Facts facts = ProcessFacts(place);
  FindControllers(job, &facts);
  facts.has_resolv_conf = Exists(absl::StrCat(place.pod_directory, "/resolv.conf"));
  facts.has_hostname = Exists(absl::StrCat(place.pod_directory, "/hostname"));
  facts.volumes = volumes;
  for (schema::Device::Reader device : spec.getDevices()) {
    BULKHEAD_RETURN_IF_ERROR(AddDevice(device, &facts.devices));
  }
  for (schema::CdiEdits::DeviceNode::Reader device : spec.getCdiDevices()) {
    BULKHEAD_RETURN_IF_ERROR(AddCdiDevice(device, &facts.devices));
  }
  if (spec.getAllDevices()) BULKHEAD_RETURN_IF_ERROR(Walk("/dev", 0, &facts.devices));
  return facts;
}

}  // namespace bulkhead::container
