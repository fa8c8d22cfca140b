#include "worker/sandbox/dns.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

namespace bulkhead::sandbox {
namespace {

struct Dns {
  std::vector<std::string> servers, searches, options;
};

absl::StatusOr<std::string> Compose(const Dns& dns) {
  capnp::MallocMessageBuilder message;
  auto make = message.initRoot<schema::SandboxJob>().initMake();
  auto servers = make.initDnsServers(dns.servers.size());
  for (unsigned i = 0; i < dns.servers.size(); ++i) servers.set(i, dns.servers[i]);
  auto searches = make.initDnsSearches(dns.searches.size());
  for (unsigned i = 0; i < dns.searches.size(); ++i) searches.set(i, dns.searches[i]);
  auto options = make.initDnsOptions(dns.options.size());
  for (unsigned i = 0; i < dns.options.size(); ++i) options.set(i, dns.options[i]);
  return ComposeResolvConf(make.asReader());
}

TEST(ResolvConf, HasALineForEachKind) {
  const auto text = Compose({{"10.0.0.10", "fd00::a", "fe80::1%eth0"},
                             {"default.svc.cluster.local", "svc.cluster.local"},
                             {"ndots:5", "edns0"}});
  EXPECT_EQ(text.value_or(""),
            "search default.svc.cluster.local svc.cluster.local\n"
            "nameserver 10.0.0.10\nnameserver fd00::a\nnameserver fe80::1%eth0\n"
            "options ndots:5 edns0\n");
  EXPECT_EQ(Compose({{}, {}, {"ndots:1"}}).value_or(""), "options ndots:1\n");
}

TEST(ResolvConf, RefusesWhatWouldBeAnotherLine) {
  for (const Dns& dns : std::vector<Dns>{
           {{"10.0.0.1\nnameserver 6.6.6.6"}, {}, {}},
           {{"10.0.0.1 "}, {}, {}},
           {{"dns.example"}, {}, {}},
           {{""}, {}, {}},
           {{"fe80::1%a b"}, {}, {}},
           {{}, {"a b"}, {}},
           {{}, {"a\noptions x"}, {}},
           {{}, {""}, {}},
           {{}, {}, {"a#b"}},
           {{}, {std::string(256, 'a')}, {}},
           {{}, std::vector<std::string>(33, "a"), {}},
       }) {
    EXPECT_TRUE(absl::IsInvalidArgument(Compose(dns).status()));
  }
}

}  // namespace
}  // namespace bulkhead::sandbox
