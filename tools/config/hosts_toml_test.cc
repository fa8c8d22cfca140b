#include "tools/config/hosts_toml.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/config/encode_registries.h"

namespace bulkhead::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<RegistrySettings> Parse(const char* text, std::vector<std::string>* unknown) {
  return ParseHostsToml(text, "f", "/d", unknown);
}

TEST(HostsToml, Everything) {
  std::vector<std::string> unknown;
  absl::StatusOr<RegistrySettings> got = Parse(R"(
server = "https://registry-1.docker.io"
capabilities = ["pull"]
[host."https://z.mirror:5000/v2/proxy"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "certs/ca.pem"
  client = [["/c/cert.pem", "key.pem"]]
  [host."https://z.mirror:5000/v2/proxy".header]
    x-key = "one"
    x-list = ["two", "three"]
[host."http://a.mirror"]
  capabilities = ["resolve", "push"]
  skip_verify = true
  ca = ["/1", "2"]
  client = "both.pem"
[host."b.mirror/sub/"]
  dial_timeout = "1s"
)",
                                               &unknown);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_THAT(unknown, ElementsAre());
  ASSERT_EQ(got->endpoints.size(), 4u) << "in the file's order, the server last";
  const EndpointSettings& first = got->endpoints[0];
  EXPECT_EQ(first.host, "z.mirror:5000");
  EXPECT_EQ(first.path, "/v2/proxy");
  EXPECT_TRUE(first.pull && first.resolve);
  EXPECT_FALSE(first.plain_http);
  EXPECT_FALSE(first.credentials);
  EXPECT_THAT(first.ca_files, ElementsAre("/d/certs/ca.pem"));
  EXPECT_EQ(first.client_cert, "/c/cert.pem");
  EXPECT_EQ(first.client_key, "/d/key.pem");
  EXPECT_EQ(first.headers.size(), 3u);
  const EndpointSettings& second = got->endpoints[1];
  EXPECT_EQ(second.host, "a.mirror");
  EXPECT_EQ(second.path, "/v2");
  EXPECT_TRUE(second.plain_http && second.skip_verify && second.resolve);
  EXPECT_FALSE(second.pull);
  EXPECT_THAT(second.ca_files, ElementsAre("/1", "/d/2"));
  EXPECT_EQ(second.client_cert, "/d/both.pem");
  EXPECT_EQ(second.client_key, "");
  EXPECT_EQ(got->endpoints[2].host, "b.mirror");
  EXPECT_EQ(got->endpoints[2].path, "/sub/v2");
  EXPECT_TRUE(got->endpoints[2].pull && got->endpoints[2].resolve);
  const EndpointSettings& server = got->endpoints[3];
  EXPECT_EQ(server.host, "registry-1.docker.io");
  EXPECT_TRUE(server.pull && server.credentials);
  EXPECT_FALSE(server.resolve);
}

TEST(HostsToml, WithoutServerTheRegistryItselfIsLast) {
  std::vector<std::string> unknown;
  absl::StatusOr<RegistrySettings> got =
      Parse("skip_verify = true\nnew_key = 1\n[host.\"https://m\"]\n", &unknown);
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->endpoints.size(), 2u);
  EXPECT_EQ(got->endpoints[1].host, "");
  EXPECT_TRUE(got->endpoints[1].skip_verify);
  EXPECT_THAT(unknown, ElementsAre(HasSubstr("f:2: key 'new_key'")));
  EXPECT_EQ(Parse("", &unknown)->endpoints.size(), 1u);
}

TEST(HostsToml, Mistakes) {
  const std::pair<const char*, const char*> cases[] = {
      {"server = 1", "must be a string"},
      {"server = \"https://a b\"", "is no URL of a host"},
      {"server = \"ftp://a\"", "is no URL of a host"},
      {"server = \"https://user:pw@a\"", "is no URL of a host"},
      {"[host.\"https://a/../b\"]", "none of a registry"},
      {"[host.\"https://a/?x\"]", "none of a registry"},
      {"[host.\"https://a\"]\ncapabilities = [\"all\"]", "must be \"pull\""},
      {"[host.\"https://a\"]\nskip_verify = \"yes\"", "must be true or false"},
      {"[host.\"https://a\".header]\n\"a b\" = \"x\"", "no name of a header"},
      {"[host.\"https://a\".header]\na = \"x\\ny\"", "control character"},
      {"client = [[\"a\", \"b\", \"c\"]]", "must be a file or"},
      {"[host", "f:1: "},
  };
  for (const auto& [text, what] : cases) {
    std::vector<std::string> unknown;
    absl::Status status = Parse(text, &unknown).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what)) << text;
  }
}

TEST(HostsToml, DirectoryNames) {
  EXPECT_EQ(RegistryOfDirectory("_default"), "*");
  EXPECT_EQ(RegistryOfDirectory("a.io"), "a.io");
  EXPECT_EQ(RegistryOfDirectory("a.io:5000"), "a.io:5000");
  EXPECT_EQ(RegistryOfDirectory("a.io_5000_"), "a.io:5000");
  EXPECT_EQ(RegistryOfDirectory("127.0.0.1_5000_"), "127.0.0.1:5000");
  EXPECT_EQ(RegistryOfDirectory("[::1]_5000_"), "[::1]:5000");
  for (const char* none : {"", "_", "__", "a.io_x_", "UP.io", "a b", "a_"}) {
    EXPECT_EQ(RegistryOfDirectory(none), "") << none;
  }
}

class RegistryTree : public testing::Test {
 protected:
  RegistryTree() {
    char name[] = "/tmp/bulkhead-hosts-XXXXXX";
    root_ = mkdtemp(name);
    settings_.pulls.registry_dirs = {root_};
  }
  ~RegistryTree() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::string file = absl::StrCat(root_, "/", name);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file) << text;
    chmod(file.c_str(), mode);
  }
  absl::Status Encode() {
    message_ = std::make_unique<capnp::MallocMessageBuilder>();
    return EncodeRegistries(settings_, message_->initRoot<schema::Registries>());
  }
  schema::Registries::Reader Result() { return message_->getRoot<schema::Registries>().asReader(); }

  std::string root_;
  Settings settings_;
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
};

TEST_F(RegistryTree, Directories) {
  Write("a.io_5000_/hosts.toml", "[host.\"https://first\"]");
  Write("a.io:5000/hosts.toml", "[host.\"https://second\"]");
  Write("_default/hosts.toml", "server = \"https://general\"");
  Write("ca.pem", "beside the directories");
  Write("b.io/hosts.toml", "server = \"https://tree\"");
  settings_.registries["b.io"].endpoints = {{.host = "config"}};
  settings_.registries["a.io:5000"].token_hosts = {"auth.io"};
  ASSERT_TRUE(Encode().ok());
  auto list = Result().getRegistries();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].getHost(), "*");
  EXPECT_EQ(list[0].getEndpoints()[0].getHost(), "general");
  EXPECT_EQ(list[1].getHost(), "a.io:5000");
  EXPECT_EQ(list[1].getEndpoints()[0].getHost(), "first");
  EXPECT_EQ(list[1].getTokenHosts()[0], "auth.io");
  EXPECT_EQ(list[2].getEndpoints()[0].getHost(), "config") << "config.toml comes first";
}

TEST_F(RegistryTree, Certificates) {
  Write("a.io/hosts.toml", "ca = \"ca.pem\"\nclient = [[\"c.pem\", \"k.pem\"]]");
  Write("a.io/ca.pem", "-----BEGIN CERTIFICATE-----");
  Write("a.io/c.pem", "-----BEGIN CERTIFICATE----- c");
  EXPECT_EQ(Encode().code(), absl::StatusCode::kNotFound) << "no key";
  Write("a.io/k.pem", "-----BEGIN PRIVATE KEY----- k");
  ASSERT_TRUE(Encode().ok());
  auto endpoint = Result().getRegistries()[0].getEndpoints()[0];
  EXPECT_GT(endpoint.getCa().size(), 10u);
  EXPECT_GT(endpoint.getClientKey().size(), 10u);
  Write("a.io/k.pem", "no pem");
  EXPECT_THAT(std::string(Encode().message()), HasSubstr("k.pem: holds no PEM"));
  chmod((root_ + "/a.io/hosts.toml").c_str(), 0666);
  EXPECT_EQ(Encode().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RegistryTree, DockersWay) {
  Write("a.io/ca.crt", "-----BEGIN CERTIFICATE-----");
  Write("a.io/client.cert", "-----BEGIN CERTIFICATE-----");
  Write("a.io/client.key", "-----BEGIN PRIVATE KEY-----");
  ASSERT_TRUE(Encode().ok());
  auto endpoint = Result().getRegistries()[0].getEndpoints()[0];
  EXPECT_EQ(endpoint.getHost(), "");
  EXPECT_GT(endpoint.getCa().size(), 0u);
  EXPECT_GT(endpoint.getClientKey().size(), 0u);
}

TEST_F(RegistryTree, Proxies) {
  setenv("HTTPS_PROXY", "proxy.env:3128", 1);
  setenv("no_proxy", "a.io", 1);
  settings_.pulls.http_proxy = "http://u:p@proxy.config:1";
  ASSERT_TRUE(Encode().ok());
  EXPECT_EQ(Result().getProxy().getHttp(), "http://u:p@proxy.config:1");
  EXPECT_EQ(Result().getProxy().getHttps(), "http://proxy.env:3128");
  EXPECT_EQ(Result().getProxy().getNone(), "a.io");
  setenv("HTTPS_PROXY", "gopher://S3CRET", 1);
  absl::Status status = Encode();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(absl::StrContains(status.message(), "S3CRET"));
  unsetenv("HTTPS_PROXY");
  unsetenv("no_proxy");
}

TEST_F(RegistryTree, SealedMemfd) {
  Write("a.io/hosts.toml", "");
  EXPECT_TRUE(RegistriesMemfd(settings_).ok());
  settings_.pulls.registry_dirs = {root_ + "/none"};
  EXPECT_TRUE(RegistriesMemfd(settings_).ok()) << "a tree that is not there";
}

}  // namespace
}  // namespace bulkhead::tools
