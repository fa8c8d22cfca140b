#include "worker/cni/runtime_config.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include "worker/cni/config.h"

namespace bulkhead::cni {
namespace {

TEST(RuntimeConfig, SaysWhatThereIsToSay) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::NetworkCapabilities>();
  EXPECT_EQ(ToText(*RuntimeConfig(job.asReader())), "{}");
  auto mappings = job.initPortMappings(3);
  mappings[0].setContainerPort(80);  // no host port: nothing to map
  mappings[1].setContainerPort(53);
  mappings[1].setHostPort(5353);
  mappings[1].setProtocol(schema::PortMapping::Protocol::UDP);
  mappings[1].setHostIp("192.0.2.1");
  mappings[2].setContainerPort(9);
  mappings[2].setHostPort(65535);
  job.initDnsServers(1).set(0, "10.0.0.10");
  job.initDnsOptions(1).set(0, "ndots:5");
  job.setCgroupPath("/kubepods/pod1");
  job.setEgressBitsPerSecond(8000);
  job.initIps(1).set(0, "10.1.0.9/24");
  job.setMac("02:00:00:00:00:01");
  auto ranges = job.initIpRanges(2);
  ranges.set(0, "10.1.0.0/24");
  ranges.set(1, "fd00::/64");
  EXPECT_EQ(ToText(*RuntimeConfig(job.asReader())),
            R"({"bandwidth":{"egressBurst":2147483647,"egressRate":8000},)"
            R"("cgroupPath":"/kubepods/pod1",)"
            R"("dns":{"options":["ndots:5"],"servers":["10.0.0.10"]},)"
            R"("ipRanges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00::/64"}]],)"
            R"("ips":["10.1.0.9/24"],"mac":"02:00:00:00:00:01",)"
            R"("portMappings":[{"containerPort":53,"hostIP":"192.0.2.1","hostPort":5353,)"
            R"("protocol":"udp"},{"containerPort":9,"hostPort":65535,"protocol":"tcp"}]})");
}

TEST(RuntimeConfig, RefusesWhatItDoesNotKnow) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::NetworkCapabilities>();
  auto mapping = job.initPortMappings(1)[0];
  mapping.setHostPort(1);
  mapping.setProtocol(static_cast<schema::PortMapping::Protocol>(9));
  EXPECT_TRUE(absl::IsInvalidArgument(RuntimeConfig(job.asReader()).status()));
  job.initPortMappings(1025);
  EXPECT_TRUE(absl::IsInvalidArgument(RuntimeConfig(job.asReader()).status()));
}

TEST(DeclaredPart, IsWhatThePluginAskedFor) {
  const Json all = {{"portMappings", 1}, {"dns", 2}};
  const auto part = [&](const char* capabilities) {
    return ToText(DeclaredPart(Json::parse(capabilities), all));
  };
  EXPECT_EQ(part(R"({"capabilities":{"dns":true,"portMappings":false,"aliases":true}})"),
            R"({"dns":2})");
  EXPECT_EQ(part(R"({"capabilities":{"dns":"true"}})"), "{}");
  EXPECT_EQ(part("{}"), "{}");
  EXPECT_EQ(part(R"({"capabilities":[]})"), "{}");
}

}  // namespace
}  // namespace bulkhead::cni
