#include "security/policy/pod_policy_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

#include "base/fs.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "schema/pod_policy.capnp.h"

namespace bulkhead::security {
namespace {

void WriteTexts(const std::vector<std::string>& from, capnp::List<capnp::Text>::Builder to) {
  for (size_t i = 0; i < from.size(); ++i) to.set(static_cast<unsigned>(i), from[i]);
}

std::vector<std::string> ReadTexts(capnp::List<capnp::Text>::Reader from) {
  std::vector<std::string> to;
  for (capnp::Text::Reader text : from) to.emplace_back(text.cStr(), text.size());
  return to;
}

void WriteOne(const PodPolicy& from, schema::PodPolicy::Builder to) {
  to.setTable(from.table);
  to.setProfile(from.profile);
  uint64_t flags = 0, bit = 1;
  for (const PodFlag& flag : PodFlags()) {
    if (from.*flag.member) flags |= bit;
    bit <<= 1;
  }
  to.setFlags(flags);
  to.setCapabilities(from.capabilities);
  to.setKubeletRoot(from.kubelet_root);
  auto paths = to.initHostPaths(from.host_paths.size());
  for (size_t i = 0; i < from.host_paths.size(); ++i) {
    paths[i].setPrefix(from.host_paths[i].prefix);
    paths[i].setReadOnly(from.host_paths[i].read_only);
  }
  WriteTexts(from.log_dirs, to.initLogDirs(from.log_dirs.size()));
  WriteTexts(from.devices, to.initDevices(from.devices.size()));
  WriteTexts(from.cdi, to.initCdi(from.cdi.size()));
  WriteTexts(from.sysctls, to.initSysctls(from.sysctls.size()));
  auto ports = to.initHostPorts(from.host_ports.size());
  for (size_t i = 0; i < from.host_ports.size(); ++i) {
    ports[i].setFirst(from.host_ports[i].first);
    ports[i].setLast(from.host_ports[i].last);
  }
  WriteTexts(from.runtimes, to.initRuntimes(from.runtimes.size()));
  to.setMemoryMax(from.memory_max);
  to.setCpuMax(from.cpu_max);
  to.setPidsMax(from.pids_max);
}

PodPolicy ReadOne(schema::PodPolicy::Reader from) {
  PodPolicy to;
  to.table = from.getTable().cStr();
  to.profile = from.getProfile().cStr();
  uint64_t flags = from.getFlags();
  for (const PodFlag& flag : PodFlags()) {
    to.*flag.member = (flags & 1) != 0;
    flags >>= 1;
  }
  to.capabilities = from.getCapabilities();
  to.kubelet_root = from.getKubeletRoot().cStr();
  for (auto path : from.getHostPaths()) {
    to.host_paths.push_back({path.getPrefix().cStr(), path.getReadOnly()});
  }
  to.log_dirs = ReadTexts(from.getLogDirs());
  to.devices = ReadTexts(from.getDevices());
  to.cdi = ReadTexts(from.getCdi());
  to.sysctls = ReadTexts(from.getSysctls());
  for (auto ports : from.getHostPorts())
    to.host_ports.push_back({ports.getFirst(), ports.getLast()});
  to.runtimes = ReadTexts(from.getRuntimes());
  to.memory_max = from.getMemoryMax();
  to.cpu_max = from.getCpuMax();
  to.pids_max = from.getPidsMax();
  return to;
}

PodPolicies ReadAll(schema::PodPolicies::Reader from) {
  PodPolicies to;
  to.node = ReadOne(from.getNode());
  for (auto section : from.getNamespaces()) {
    to.namespaces[section.getNamespace().cStr()] = ReadOne(section.getPolicy());
  }
  for (auto program : from.getPrograms()) {
    to.programs[program.getHandler().cStr()] = program.getPath().cStr();
  }
  to.namespaces_trusted = from.getNamespacesTrusted();
  const auto hash = from.getHash().asChars();
  to.hash.assign(hash.begin(), hash.size());
  return to;
}

}  // namespace

absl::StatusOr<std::string> EncodePodPolicies(const PodPolicies& policies) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::PodPolicies>();
  WriteOne(policies.node, root.initNode());
  auto sections = root.initNamespaces(policies.namespaces.size());
  unsigned i = 0;
  for (const auto& [name, policy] : policies.namespaces) {
    sections[i].setNamespace(name);
    WriteOne(policy, sections[i++].initPolicy());
  }
  root.setNamespacesTrusted(policies.namespaces_trusted);
  auto programs = root.initPrograms(policies.programs.size());
  i = 0;
  for (const auto& [handler, path] : policies.programs) {
    programs[i].setHandler(handler);
    programs[i++].setPath(path);
  }
  root.setHash(kj::StringPtr(policies.hash.c_str(), policies.hash.size()).asBytes());
  kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  if (words.asBytes().size() > kMaxPodPolicyBytes) {
    return absl::ResourceExhaustedError("the policy of pods is over 1 MiB");
  }
  const auto bytes = words.asChars();
  return std::string(bytes.begin(), bytes.size());
}

absl::StatusOr<PodPolicies> DecodePodPolicies(absl::string_view bytes) {
  BULKHEAD_RETURN_IF_ERROR(ipc::CheckSegmentTable(
      absl::MakeSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size())));
  kj::Array<capnp::word> words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  memcpy(words.begin(), bytes.data(), words.asBytes().size());
  PodPolicies policies;
  BULKHEAD_RETURN_IF_ERROR(ipc::Guarded([&] {
    capnp::FlatArrayMessageReader reader(words, ipc::SafeReaderOptions(bytes.size()));
    policies = ReadAll(reader.getRoot<schema::PodPolicies>());
  }));
  return policies;
}

absl::StatusOr<PodPolicies> ReadPodPolicies(int run_dir) {
  absl::StatusOr<base::UniqueFd> fd = base::OpenAt(run_dir, kPodPolicyFile, O_RDONLY | O_NONBLOCK,
                                                   base::Resolve::kBeneathNoSymlinks);
  if (!fd.ok()) return base::Annotate(fd.status(), "the policy of pods");
  struct stat st;
  if (fstat(fd->get(), &st) != 0) return base::ErrnoStatus("stat the policy of pods");
  if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0) {
    return absl::PermissionDeniedError("the policy of pods: not a file of root's alone");
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes, base::ReadAll(fd->get(), kMaxPodPolicyBytes));
  return DecodePodPolicies(bytes);
}

}  // namespace bulkhead::security
