#include "validate/pod.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "security/profile.h"

namespace bulkhead::validate {
namespace {

using schema::NamespaceMode;
using schema::PodConfig;

void FillGood(PodConfig::Builder config) {
  config.setName("web");
  config.setNamespace("default");
  config.setUid("0a1b");
  config.setHostname("web-0.example");
  config.setLogDirectory("/var/log/pods/x");
  auto servers = config.initDnsServers(3);
  servers.set(0, "10.0.0.10");
  servers.set(1, "2001:db8::1");
  servers.set(2, "fe80::1%eth0");
  config.initDnsSearches(1).set(0, "svc.cluster.local");
  config.initDnsOptions(1).set(0, "ndots:5");
  auto port = config.initPortMappings(1)[0];
  port.setContainerPort(80);
  port.setHostPort(8080);
  port.setHostIp("127.0.0.1");
  auto label = config.initLabels(1)[0];
  label.setKey("app");
  label.setValue("web");
  config.setCgroupParent("/kubepods/pod1");
  auto sysctl = config.initSysctls(1)[0];
  sysctl.setKey("net.ipv4.ip_local_port_range");
  sysctl.setValue("1024 65535");
  config.setHandler("crun");
}

absl::Status CheckWith(const std::function<void(PodConfig::Builder)>& change) {
  capnp::MallocMessageBuilder message;
  auto config = message.initRoot<PodConfig>();
  FillGood(config);
  change(config);
  return CheckPodConfig(config);
}

void SetLabels(PodConfig::Builder config, unsigned count, size_t value_bytes) {
  auto labels = config.initLabels(count);
  for (unsigned i = 0; i < count; ++i) {
    labels[i].setKey(absl::StrCat("k", i));
    labels[i].setValue(std::string(value_bytes, 'v'));
  }
}

TEST(PodConfig, AcceptsAnOrdinaryPod) {
  EXPECT_TRUE(CheckWith([](auto) {}).ok()) << CheckWith([](auto) {});
}

TEST(PodConfig, AcceptsTheBounds) {
  EXPECT_TRUE(CheckWith([](auto c) {
                c.setName(std::string(253, 'x'));
                c.setHostname("");
                c.setLogDirectory("");
                c.setCgroupParent("kubepods-besteffort-pod1_2.slice");
                c.initSysctls(0);  // those of the node's network are not the pod's
                c.setNetwork(NamespaceMode::NODE);
                c.setPid(NamespaceMode::CONTAINER);
                SetLabels(c, 256, 16);
                c.initAnnotations(1)[0].setKey("a");
                c.getAnnotations()[0].setValue("line\nline\t" + std::string(255 << 10, 'x'));
              }).ok());
}

struct Bad {
  const char* field;
  std::function<void(PodConfig::Builder)> change;
};

TEST(PodConfig, NamesTheFieldOfEachRefusal) {
  const Bad table[] = {
      {"config.metadata.name", [](auto c) { c.setName(""); }},
      {"config.metadata.name", [](auto c) { c.setName(std::string(254, 'x')); }},
      {"config.metadata.name", [](auto c) { c.setName("a\nb"); }},
      {"config.metadata.namespace", [](auto c) { c.setNamespace(""); }},
      {"config.metadata.uid", [](auto c) { c.setUid("a\x7f"); }},
      {"config.hostname", [](auto c) { c.setHostname(std::string(65, 'h')); }},
      {"config.hostname", [](auto c) { c.setHostname("a..b"); }},
      {"config.hostname", [](auto c) { c.setHostname("-a"); }},
      {"config.hostname", [](auto c) { c.setHostname("a\nb"); }},
      {"config.log_directory", [](auto c) { c.setLogDirectory("var/log"); }},
      {"config.log_directory", [](auto c) { c.setLogDirectory("/var/../etc"); }},
      {"config.log_directory", [](auto c) { c.setLogDirectory("/var//log"); }},
      {"config.dns_config.servers", [](auto c) { c.initDnsServers(33); }},
      {"config.dns_config.servers", [](auto c) { c.initDnsServers(1).set(0, "ns.example"); }},
      {"config.dns_config.servers", [](auto c) { c.initDnsServers(1).set(0, "::1\nnameserver"); }},
      {"config.dns_config.servers", [](auto c) { c.initDnsServers(1).set(0, "::1%a b"); }},
      {"config.dns_config.searches", [](auto c) { c.initDnsSearches(33); }},
      {"config.dns_config.searches", [](auto c) { c.initDnsSearches(1).set(0, "a b"); }},
      {"config.dns_config.options", [](auto c) { c.initDnsOptions(1).set(0, "a\nb"); }},
      {"config.port_mappings", [](auto c) { c.initPortMappings(1025); }},
      {"config.port_mappings[0].container_port",
       [](auto c) { c.getPortMappings()[0].setContainerPort(0); }},
      {"config.port_mappings[0].host_ip", [](auto c) { c.getPortMappings()[0].setHostIp("x"); }},
      {"config.port_mappings[0].protocol",
       [](auto c) {
         c.getPortMappings()[0].setProtocol(static_cast<schema::PortMapping::Protocol>(3));
       }},
      {"config.labels", [](auto c) { SetLabels(c, 257, 1); }},
      {"config.labels", [](auto c) { SetLabels(c, 255, 300); }},
      {"config.labels", [](auto c) { c.initLabels(1); }},
      {"config.labels",
       [](auto c) {
         auto labels = c.initLabels(2);
         labels[0].setKey("same");
         labels[1].setKey("same");
       }},
      {"config.annotations",
       [](auto c) {
         auto annotation = c.initAnnotations(1)[0];
         annotation.setKey("a");
         annotation.setValue(std::string(256 << 10, 'x'));
       }},
      {"config.annotations",
       [](auto c) {
         auto annotation = c.initAnnotations(1)[0];
         annotation.setKey("a");
         annotation.setValue(kj::StringPtr("a\0b", 3));  // not std::string: it would end at NUL
       }},
      {"config.linux.cgroup_parent", [](auto c) { c.setCgroupParent("kubepods"); }},
      {"config.linux.cgroup_parent", [](auto c) { c.setCgroupParent("/a/../../b"); }},
      {"config.linux.cgroup_parent", [](auto c) { c.setCgroupParent("../x.slice"); }},
      {"config.linux.cgroup_parent", [](auto c) { c.setCgroupParent("a/b.slice"); }},
      {"config.linux.sysctls[../../kernel/x]",
       [](auto c) { c.getSysctls()[0].setKey("../../kernel/x"); }},
      {"config.linux.sysctls[net.a b]", [](auto c) { c.getSysctls()[0].setKey("net.a b"); }},
      {"config.linux.sysctls[kernel.core_pattern]",
       [](auto c) { c.getSysctls()[0].setKey("kernel.core_pattern"); }},
      {"config.linux.sysctls[net.ipv4.ip_local_port_range]",
       [](auto c) { c.getSysctls()[0].setValue("1\n2"); }},
      {"config.linux.sysctls[net.ipv4.ip_local_port_range]",
       [](auto c) { c.setNetwork(NamespaceMode::NODE); }},
      {"config.linux.security_context.namespace_options.network",
       [](auto c) { c.setNetwork(NamespaceMode::CONTAINER); }},
      {"config.linux.security_context.namespace_options.network",
       [](auto c) { c.setNetwork(static_cast<NamespaceMode>(9)); }},
      {"config.linux.security_context.namespace_options.ipc",
       [](auto c) { c.setIpc(NamespaceMode::TARGET); }},
      {"config.linux.security_context.namespace_options.pid",
       [](auto c) { c.setPid(NamespaceMode::TARGET); }},
      {"config.linux.security_context.namespace_options.userns_options.mode",
       [](auto c) { c.setUserNamespace(NamespaceMode::TARGET); }},
      {"config.linux.security_context.namespace_options.userns_options",
       [](auto c) { c.getIdMapping().setLength(1); }},
      {"config.linux.security_context.namespace_options.userns_options.uids",
       [](auto c) {
         c.setPid(NamespaceMode::CONTAINER);
         c.setUserNamespace(NamespaceMode::POD);
         c.getIdMapping().setLength(1);  // the node's root
       }},
      {"config.linux.security_context.namespace_options.userns_options.uids",
       [](auto c) {
         c.setPid(NamespaceMode::CONTAINER);
         c.setUserNamespace(NamespaceMode::POD);
         c.getIdMapping().setHostId(1);
         c.getIdMapping().setLength(0x80000000);  // where layers lie
       }},
      {"config.metadata.name", [](auto c) { c.setName("a;K8S_POD_NAME=b"); }},
      {"config.port_mappings[1].host_port",
       [](auto c) {
         auto mappings = c.initPortMappings(2);
         for (auto mapping : mappings) {
           mapping.setContainerPort(80);
           mapping.setHostPort(8080);
         }
       }},
      {"runtime_handler", [](auto c) { c.setHandler("a/b"); }},
      {"runtime_handler", [](auto c) { c.setHandler(std::string(64, 'a')); }},
  };
  for (const Bad& bad : table) {
    const absl::Status status = CheckWith(bad.change);
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, status.code()) << bad.field << ": " << status;
    EXPECT_EQ(0u, status.message().find(absl::StrCat(bad.field, ":"))) << status;
  }
}

TEST(PodConfig, AUserNamespaceIsTheRuntimesChoiceOrTheRequests) {
  EXPECT_TRUE(CheckWith([](auto c) {
                c.setPid(NamespaceMode::CONTAINER);
                c.setUserNamespace(NamespaceMode::POD);
              }).ok());
  EXPECT_TRUE(CheckWith([](auto c) {
                c.setPid(NamespaceMode::CONTAINER);
                c.setUserNamespace(NamespaceMode::POD);
                c.getIdMapping().setHostId(1);
                c.getIdMapping().setLength(0x7fffffff);
              }).ok());
  const auto shared = [](uint32_t length) {
    return CheckWith([length](auto c) {
      c.setPid(NamespaceMode::POD);
      c.setUserNamespace(NamespaceMode::POD);
      c.getIdMapping().setHostId(length > 0 ? 1 : 0);
      c.getIdMapping().setLength(length);
    });
  };
  EXPECT_TRUE(shared(0).ok());
  EXPECT_TRUE(shared(security::kMonitorUid + 1).ok());
  EXPECT_EQ(absl::StatusCode::kInvalidArgument, shared(security::kMonitorUid).code());
}

}  // namespace
}  // namespace bulkhead::validate
