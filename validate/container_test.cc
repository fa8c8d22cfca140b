#include "validate/container.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

namespace bulkhead::validate {
namespace {

using schema::ContainerConfig;
using schema::NamespaceMode;
using schema::SecurityProfile;
using Propagation = schema::Mount::Propagation;

void SetData(schema::KeyValue::Builder env, const std::string& value) {
  env.setValue(kj::arrayPtr(reinterpret_cast<const kj::byte*>(value.data()), value.size()));
}

void FillGood(ContainerConfig::Builder config) {
  config.setName("app");
  config.setImage("docker.io/library/busybox:1");
  config.setUserSpecifiedImage("busybox:1");
  config.initCommand(1).set(0, "/bin/sh");
  config.initArgs(2).set(1, "");
  config.setWorkingDir("/srv");
  auto env = config.initEnvs(1)[0];
  env.setKey("PATH");
  SetData(env, "/bin\xff\n");
  auto mount = config.initMounts(1)[0];
  mount.setContainerPath("/data");
  mount.setHostPath("/mnt/data");
  auto device = config.initDevices(1)[0];
  device.setContainerPath("/dev/x");
  device.setHostPath("/dev/null");
  device.setPermissions("mrw");
  config.setLogPath("app/0.log");
  auto resources = config.initResources();
  resources.setCpuQuota(-1);
  resources.setCpusetCpus("0-1,3");
  resources.initHugepageLimits(1)[0].setPageSize("2MB");
  resources.initUnified(1)[0].setKey("memory.high");
  config.initSecurity().initMaskedPaths(1).set(0, "/proc/kcore");
}

absl::Status CheckWith(const std::function<void(ContainerConfig::Builder)>& change) {
  capnp::MallocMessageBuilder message;
  auto config = message.initRoot<ContainerConfig>();
  FillGood(config);
  change(config);
  return CheckContainerConfig(config);
}

TEST(ContainerConfig, AcceptsAnOrdinaryContainer) {
  EXPECT_TRUE(CheckWith([](auto) {}).ok()) << CheckWith([](auto) {});
}

TEST(ContainerConfig, AcceptsTheBounds) {
  EXPECT_TRUE(CheckWith([](auto c) {
                c.setImage("sha256:" + std::string(64, 'a'));
                c.setLogPath("");
                c.setWorkingDir("");
                c.setStopSignal(64);
                c.initCommand(4096);
                c.initMounts(0);
                c.getResources().setOomScoreAdj(-1000);
                c.getSecurity().setAddCapabilities((uint64_t{1} << 41) - 1);
                c.getSecurity().setPid(NamespaceMode::TARGET);
                c.getSecurity().setTargetId(std::string(64, '0'));
                c.getSecurity().setHasRunAsUser(true);
                c.getSecurity().setHasRunAsGroup(true);
                c.getSecurity().setRunAsUser(UINT32_MAX - 1);
              }).ok());
}

struct Bad {
  const char* field;
  std::function<void(ContainerConfig::Builder)> change;
};

void ExpectRefusals(absl::Span<const Bad> table) {
  for (const Bad& bad : table) {
    const absl::Status status = CheckWith(bad.change);
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, status.code()) << bad.field << ": " << status;
    EXPECT_EQ(0u, status.message().find(absl::StrCat(bad.field, ":"))) << status;
  }
}

TEST(ContainerConfig, NamesTheFieldOfEachRefusal) {
  const Bad table[] = {
      {"config.metadata.name", [](auto c) { c.setName(""); }},
      {"config.metadata.name", [](auto c) { c.setName("a\nb"); }},
      {"config.image.image", [](auto c) { c.setImage(""); }},
      {"config.image.image", [](auto c) { c.setImage("busybox"); }},
      {"config.image.image", [](auto c) { c.setImage("/var/lib/x.tar"); }},
      {"config.image.image",
       [](auto c) { c.setImage("docker.io/library/a:1@sha256:" + std::string(64, 'a')); }},
      {"config.image.user_specified_image", [](auto c) { c.setUserSpecifiedImage("a\nb"); }},
      {"config.command", [](auto c) { c.initCommand(4097); }},
      {"config.command", [](auto c) { c.initCommand(1).set(0, kj::StringPtr("a\0b", 3)); }},
      {"config.args", [](auto c) { c.initArgs(1).set(0, std::string(1 << 20, 'x')); }},
      {"config.working_dir", [](auto c) { c.setWorkingDir("srv"); }},
      {"config.working_dir", [](auto c) { c.setWorkingDir("/srv/../etc"); }},
      {"config.envs[0].key", [](auto c) { c.getEnvs()[0].setKey(""); }},
      {"config.envs[0].key", [](auto c) { c.getEnvs()[0].setKey("a=b"); }},
      {"config.envs[0].value", [](auto c) { SetData(c.getEnvs()[0], std::string("a\0b", 3)); }},
      {"config.envs", [](auto c) { c.initEnvs(8193); }},
      {"config.envs", [](auto c) { SetData(c.getEnvs()[0], std::string(1 << 20, 'x')); }},
      {"config.labels", [](auto c) { c.initLabels(257); }},
      {"config.annotations", [](auto c) { c.initAnnotations(1); }},
      {"config.log_path", [](auto c) { c.setLogPath("/etc/x"); }},
      {"config.log_path", [](auto c) { c.setLogPath("../x"); }},
      {"config.log_path", [](auto c) { c.setLogPath("a//b"); }},
      {"config.stop_signal", [](auto c) { c.setStopSignal(65); }},
      {"config.stop_signal", [](auto c) { c.setStopSignal(-1); }},
  };
  ExpectRefusals(table);
}

TEST(ContainerConfig, NamesTheMountOrDevice) {
  const Bad table[] = {
      {"config.mounts", [](auto c) { c.initMounts(1025); }},
      {"config.mounts[0].container_path", [](auto c) { c.getMounts()[0].setContainerPath("x"); }},
      {"config.mounts[0].container_path", [](auto c) { c.getMounts()[0].setContainerPath("/"); }},
      {"config.mounts[0].host_path", [](auto c) { c.getMounts()[0].setHostPath(""); }},
      {"config.mounts[0].host_path", [](auto c) { c.getMounts()[0].setHostPath("/a/../b"); }},
      {"config.mounts[0].propagation",
       [](auto c) { c.getMounts()[0].setPropagation(static_cast<Propagation>(7)); }},
      {"config.mounts[0].recursive_read_only",
       [](auto c) { c.getMounts()[0].setRecursiveReadOnly(true); }},
      {"config.mounts[0].recursive_read_only",
       [](auto c) {
         c.getMounts()[0].setRecursiveReadOnly(true);
         c.getMounts()[0].setReadonly(true);
         c.getMounts()[0].setPropagation(Propagation::HOST_TO_CONTAINER);
       }},
      {"config.devices", [](auto c) { c.initDevices(257); }},
      {"config.devices[0].container_path", [](auto c) { c.getDevices()[0].setContainerPath(""); }},
      {"config.devices[0].host_path", [](auto c) { c.getDevices()[0].setHostPath("dev/x"); }},
      {"config.devices[0].permissions", [](auto c) { c.getDevices()[0].setPermissions(""); }},
      {"config.devices[0].permissions", [](auto c) { c.getDevices()[0].setPermissions("rr"); }},
      {"config.devices[0].permissions", [](auto c) { c.getDevices()[0].setPermissions("rx"); }},
  };
  ExpectRefusals(table);
}

TEST(ContainerConfig, NamesTheResource) {
  const Bad table[] = {
      {"config.linux.resources.cpu_period", [](auto c) { c.getResources().setCpuPeriod(-1); }},
      {"config.linux.resources.cpu_quota", [](auto c) { c.getResources().setCpuQuota(-2); }},
      {"config.linux.resources.cpu_shares", [](auto c) { c.getResources().setCpuShares(262145); }},
      {"config.linux.resources.memory_limit_in_bytes",
       [](auto c) { c.getResources().setMemoryLimit(-1); }},
      {"config.linux.resources.memory_swap_limit_in_bytes",
       [](auto c) { c.getResources().setMemorySwapLimit(-2); }},
      {"config.linux.resources.oom_score_adj",
       [](auto c) { c.getResources().setOomScoreAdj(1001); }},
      {"config.linux.resources.cpuset_cpus", [](auto c) { c.getResources().setCpusetCpus("a"); }},
      {"config.linux.resources.cpuset_mems", [](auto c) { c.getResources().setCpusetMems("0\n"); }},
      {"config.linux.resources.hugepage_limits",
       [](auto c) { c.getResources().initHugepageLimits(17); }},
      {"config.linux.resources.hugepage_limits[0].page_size",
       [](auto c) { c.getResources().getHugepageLimits()[0].setPageSize("../2MB"); }},
      {"config.linux.resources.hugepage_limits[0].page_size",
       [](auto c) { c.getResources().getHugepageLimits()[0].setPageSize("MB"); }},
      {"config.linux.resources.unified",
       [](auto c) { c.getResources().getUnified()[0].setKey("../memory.high"); }},
      {"config.linux.resources.unified",
       [](auto c) { c.getResources().getUnified()[0].setKey("cgroup"); }},
  };
  ExpectRefusals(table);
}

TEST(ContainerConfig, NamesThePower) {
  const Bad table[] = {
      {"config.linux.security_context.capabilities.add_capabilities",
       [](auto c) { c.getSecurity().setAddCapabilities(uint64_t{1} << 41); }},
      {"config.linux.security_context.capabilities.drop_capabilities",
       [](auto c) { c.getSecurity().setDropCapabilities(uint64_t{1} << 63); }},
      {"config.linux.security_context.namespace_options.network",
       [](auto c) { c.getSecurity().setNetwork(NamespaceMode::CONTAINER); }},
      {"config.linux.security_context.namespace_options.ipc",
       [](auto c) { c.getSecurity().setIpc(NamespaceMode::TARGET); }},
      {"config.linux.security_context.namespace_options.pid",
       [](auto c) { c.getSecurity().setPid(static_cast<NamespaceMode>(4)); }},
      {"config.linux.security_context.namespace_options.target_id",
       [](auto c) { c.getSecurity().setPid(NamespaceMode::TARGET); }},
      {"config.linux.security_context.namespace_options.target_id",
       [](auto c) { c.getSecurity().setTargetId("ab"); }},
      {"config.linux.security_context.run_as_user",
       [](auto c) {
         c.getSecurity().setHasRunAsUser(true);
         c.getSecurity().setRunAsUser(UINT32_MAX);
       }},
      {"config.linux.security_context.run_as_group",
       [](auto c) { c.getSecurity().setHasRunAsGroup(true); }},
      {"config.linux.security_context.run_as_username",
       [](auto c) { c.getSecurity().setRunAsUsername("a:b"); }},
      {"config.linux.security_context.run_as_username",
       [](auto c) {
         c.getSecurity().setRunAsUsername("a");
         c.getSecurity().setHasRunAsUser(true);
       }},
      {"config.linux.security_context.supplemental_groups",
       [](auto c) { c.getSecurity().initSupplementalGroups(1).set(0, UINT32_MAX); }},
      {"config.linux.security_context.masked_paths[0]",
       [](auto c) { c.getSecurity().getMaskedPaths().set(0, "/proc/../etc"); }},
      {"config.linux.security_context.readonly_paths[0]",
       [](auto c) { c.getSecurity().initReadonlyPaths(1).set(0, "proc"); }},
      {"config.linux.security_context.seccomp.profile_type",
       [](auto c) { c.getSecurity().getSeccomp().setType(static_cast<SecurityProfile::Type>(3)); }},
      {"config.linux.security_context.seccomp.localhost_ref",
       [](auto c) { c.getSecurity().getSeccomp().setLocalhostRef("/x"); }},
  };
  ExpectRefusals(table);
}

TEST(ContainerConfig, V24ASeccompProfileOfTheNodeIsNamed) {
  const auto check = [](const char* path) {
    return CheckWith([path](auto c) {
      c.getSecurity().getSeccomp().setType(SecurityProfile::Type::LOCALHOST);
      c.getSecurity().getSeccomp().setLocalhostRef(path);
    });
  };
  EXPECT_TRUE(check("/var/lib/kubelet/seccomp/a.json").ok());
  for (const char* bad : {"", "a.json", "/a/../b.json", "/a//b.json", "/a\nb"}) {
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, check(bad).code()) << bad;
    EXPECT_EQ(0u,
              check(bad).message().find("config.linux.security_context.seccomp.localhost_ref:"));
  }
}

// Requests at, under and over each limit, by the one function that both processes ask.
TEST(ContainerConfig, V34ListsAreBoundedAtTheirLimits) {
  struct Limit {
    const char* field;
    unsigned most;
    std::function<void(ContainerConfig::Builder, unsigned)> fill;
  };
  const Limit limits[] = {
      {"config.command", 4096, [](auto c, unsigned n) { c.initCommand(n); }},
      {"config.args", 4096, [](auto c, unsigned n) { c.initArgs(n); }},
      {"config.envs", 8192,
       [](auto c, unsigned n) {
         auto list = c.initEnvs(n);
         for (auto entry : list) entry.setKey("A");
       }},
      {"config.mounts", 200,
       [](auto c, unsigned n) {
         auto list = c.initMounts(n);
         for (auto mount : list) {
           mount.setContainerPath("/a");
           mount.setHostPath("/b");
         }
       }},
      {"config.mounts", 32,
       [](auto c, unsigned n) {
         auto list = c.initMounts(n);
         for (auto mount : list) {
           mount.setContainerPath("/a");
           mount.setImage("docker.io/library/busybox:latest");
           mount.setReadonly(true);
         }
       }},
      {"config.devices", 256,
       [](auto c, unsigned n) {
         auto list = c.initDevices(n);
         for (auto device : list) {
           device.setContainerPath("/dev/a");
           device.setHostPath("/dev/b");
           device.setPermissions("rw");
         }
       }},
      {"config.CDI_devices", 64,
       [](auto c, unsigned n) {
         auto list = c.initCdiDevices(n);
         for (unsigned i = 0; i < n; ++i) list.set(i, "vendor.com/class=device");
       }},
      {"config.labels", 256,
       [](auto c, unsigned n) {
         auto list = c.initLabels(n);
         for (unsigned i = 0; i < n; ++i) list[i].setKey(std::to_string(i));
       }},
      {"config.linux.security_context.supplemental_groups", 65536,
       [](auto c, unsigned n) { c.getSecurity().initSupplementalGroups(n); }},
      {"config.linux.security_context.masked_paths", 1024,
       [](auto c, unsigned n) {
         auto list = c.getSecurity().initMaskedPaths(n);
         for (unsigned i = 0; i < n; ++i) list.set(i, "/a");
       }},
      {"config.linux.resources.unified", 64,
       [](auto c, unsigned n) {
         auto list = c.getResources().initUnified(n);
         for (unsigned i = 0; i < n; ++i) list[i].setKey("memory.x" + std::to_string(i));
       }},
  };
  for (const Limit& limit : limits) {
    const auto check = [&](unsigned n) { return CheckWith([&](auto c) { limit.fill(c, n); }); };
    EXPECT_TRUE(check(limit.most - 1).ok()) << limit.field << check(limit.most - 1);
    EXPECT_TRUE(check(limit.most).ok()) << limit.field << check(limit.most);
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, check(limit.most + 1).code()) << limit.field;
    EXPECT_EQ(0u, check(limit.most + 1).message().find(limit.field)) << check(limit.most + 1);
  }
}

absl::Status CheckArgv(const std::vector<std::string>& argv) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<ContainerConfig>().initCommand(argv.size());
  for (size_t i = 0; i < argv.size(); ++i) {
    list.set(i, kj::StringPtr(argv[i].data(), argv[i].size()));
  }
  return CheckArguments("cmd", list.asReader());
}

TEST(Arguments, AreBounded) {
  EXPECT_TRUE(CheckArgv({"sh", "-c", "", "a\nb"}).ok());
  EXPECT_TRUE(CheckArgv(std::vector<std::string>(4096, "x")).ok());
  for (const auto& bad : {std::vector<std::string>{}, std::vector<std::string>(4097, "x"),
                          std::vector<std::string>{std::string("a\0", 2)},
                          std::vector<std::string>(2, std::string(512 << 10, 'x'))}) {
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, CheckArgv(bad).code());
    EXPECT_EQ(0u, CheckArgv(bad).message().find("cmd: "));
  }
}

}  // namespace
}  // namespace bulkhead::validate
