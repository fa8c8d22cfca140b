#include "worker/cni/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::cni {
namespace {

using testing::HasSubstr;

constexpr char kList[] = R"({"cniVersion":"1.0.0","name":"pods","plugins":[
  {"type":"bridge","ipam":{"type":"host-local"},"runtimeConfig":{"x":1},"prevResult":{"y":1}},
  {"type":"portmap","name":"other","cniVersion":"0.1.0","capabilities":{"portMappings":true}}]})";

std::string With(const std::string& from, const std::string& to) {
  std::string text = kList;
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(Config, TakesAList) {
  const auto config = ParseConfig("10-a.conflist", kList);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->name, "pods");
  EXPECT_EQ(config->version, "1.0.0");
  ASSERT_EQ(config->plugins.size(), 2u);
  EXPECT_EQ(PluginType(*config, 1), "portmap");
}

TEST(Config, WrapsASinglePlugin) {
  for (const char* file : {"10-a.conf", "10-a.json"}) {
    const auto config =
        ParseConfig(file, R"({"cniVersion":"0.3.1","name":"lo","type":"loopback"})");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->version, "0.3.1");
    ASSERT_EQ(config->plugins.size(), 1u);
    EXPECT_EQ(PluginType(*config, 0), "loopback");
  }
  EXPECT_FALSE(ParseConfig("10-a.conf", kList).ok()) << "a list is no plugin";
  EXPECT_FALSE(ParseConfig("a.conflist", R"({"cniVersion":"1.0.0","name":"lo","type":"x"})").ok());
}

TEST(Config, KnowsVersions) {
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
    EXPECT_TRUE(ParseConfig("a.conflist", With("1.0.0", version)).ok()) << version;
  }
  for (const char* version : {"0.1.0", "0.2.0", "1.2.0", "2.0.0", "", "1.0", "1.0.0 "}) {
    const absl::Status status = ParseConfig("a.conflist", With("1.0.0", version)).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("cniVersion")) << version;
  }
}

TEST(Config, NamesTheFieldThatIsBad) {
  const struct {
    const char *from, *to, *field;
  } kCases[] = {
      {"\"bridge\"", "\"../../tmp/x\"", "plugins[0].type"},
      {"\"bridge\"", "\"a/b\"", "plugins[0].type"},
      {"\"bridge\"", "\"..\"", "plugins[0].type"},
      {"\"bridge\"", "\"\"", "plugins[0].type"},
      {"\"bridge\"", "7", "type"},
      {"\"bridge\"", "\"a\\nb\"", "plugins[0].type"},
      {"\"host-local\"", "\"../../bin/sh\"", "plugins[0].ipam.type"},
      {"\"pods\"", "\"../pods\"", "name"},
      {"\"pods\"", "\"\"", "name"},
      {"\"pods\"", "\"a/b\"", "name"},
      {"\"pods\"", "null", "name"},
      {"{\"portMappings\":true}", "[]", "capabilities"},
      {"\"plugins\"", "\"other\"", "plugins"},
  };
  for (const auto& c : kCases) {
    const absl::Status status = ParseConfig("a.conflist", With(c.from, c.to)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << c.from << c.to;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.field)) << c.to;
  }
}

TEST(Config, RefusesWhatIsNoDocument) {
  for (const char* text : {"", "{", "[]", "7", "\"x\"", "null", "{\"name\":\"a\",\"name\":\"b\"}",
                           "{\"cniVersion\":\"1.0.0\",\"name\":\"x\",\"plugins\":[7]}",
                           "{\"cniVersion\":\"1.0.0\",\"name\":\"x\",\"plugins\":{}}",
                           "{\"cniVersion\":\"1.0.0\",\"name\":\"x\",\"plugins\":[]}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig("a.conflist", text).status())) << text;
    EXPECT_FALSE(ParseConfig("a.conf", text).ok()) << text;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(
      ParseConfig("a.conflist", std::string(kMaxConfigBytes + 1, ' ')).status()));
  // Deep enough to end a program that recurses.
  const std::string deep(kMaxConfigBytes - 100, '[');
  EXPECT_FALSE(ParseConfig("a.conflist", deep).ok());
  std::string many = R"({"cniVersion":"1.0.0","name":"x","plugins":[{"type":"a"})";
  for (size_t i = 0; i < kMaxPlugins; ++i) absl::StrAppend(&many, R"(,{"type":"a"})");
  EXPECT_FALSE(ParseConfig("a.conflist", many + "]}").ok());
}

TEST(PluginInput, IsOursWhereItMatters) {
  const auto config = ParseConfig("10-a.conflist", kList);
  ASSERT_TRUE(config.ok());
  const Json runtime = {{"portMappings", Json::array({1})}, {"dns", {{"servers", {"1.1.1.1"}}}}};
  const Json first = PluginInput(*config, 0, runtime, Json());
  EXPECT_EQ(ToText(first), R"({"cniVersion":"1.0.0","ipam":{"type":"host-local"},"name":"pods",)"
                           R"("type":"bridge"})");
  const Json second = PluginInput(*config, 1, runtime, Json({{"ips", Json::array()}}));
  EXPECT_EQ(ToText(second),
            R"({"capabilities":{"portMappings":true},"cniVersion":"1.0.0","name":"pods",)"
            R"("prevResult":{"ips":[]},"runtimeConfig":{"portMappings":[1]},"type":"portmap"})");
}

TEST(ConfigFromDocument, IsCheckedLikeAConfiguration) {
  const auto config = ParseConfig("a.conflist", kList);
  ASSERT_TRUE(config.ok());
  const auto again = ConfigFromDocument(ToText(config->document));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->plugins, config->plugins);
  EXPECT_EQ(again->version, "1.0.0");
  std::string evil = ToText(config->document);
  evil.replace(evil.find("\"portmap\""), 9, "\"../bash\"");
  EXPECT_TRUE(absl::IsInvalidArgument(ConfigFromDocument(evil).status()));
  for (const char* text : {"", "{", "[]", "{}"}) {
    EXPECT_FALSE(ConfigFromDocument(text).ok()) << text;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(
      ConfigFromDocument(std::string(kMaxDocumentBytes + 1, ' ')).status()));
}

TEST(ParseConfig, TakesTheLatestOfSeveralVersions) {
  const auto config = ParseConfig(
      "a.conflist", With(R"("cniVersion":"1.0.0")",
                         R"("cniVersions":["0.4.0","1.1.0","2.0.0"],"disableGC":"true")"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->version, "1.1.0");
  EXPECT_TRUE(config->disable_gc);
  EXPECT_FALSE(config->disable_check);
  EXPECT_FALSE(
      ParseConfig("a.conflist", With(R"("cniVersion":"1.0.0")", R"("cniVersions":["9.0.0"])"))
          .ok());
}

}  // namespace
}  // namespace bulkhead::cni
