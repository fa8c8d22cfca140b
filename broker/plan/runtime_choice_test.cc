#include "broker/plan/runtime_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/state/record.h"
#include "validate/image_rule.h"

namespace bulkhead::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RuntimeChoiceTest : public testing::Test {
 protected:
  RuntimeChoiceTest() {
    auto runtimes = node_.edit().initRuntimes(4);
    runtimes[0].setName("crun");
    runtimes[0].setPath("/usr/bin/crun");
    runtimes[0].setVersion("1.8.1");
    runtimes[1].setName("gone");
    runtimes[1].setPath("/nowhere");
    runtimes[2].setName("proxmox");
    runtimes[2].setType(schema::Runtime::Type::PROXMOX);
    runtimes[3].setName("lxc");
    runtimes[3].setPath("/usr/bin/lxc");
    runtimes[3].setVersion("5.0");
    node_.edit().setDefaultRuntime("crun");
  }
  void SetRules(const std::vector<std::pair<const char*, const char*>>& rules) {
    auto list = node_.edit().initImageRules(rules.size());
    for (size_t i = 0; i < rules.size(); ++i) {
      list[i].setPattern(rules[i].first);
      list[i].setRuntime(rules[i].second);
      list[i].setPreset("lxc");
    }
  }
  void SetPreset() {
    SetRules({{"lxc/*", "lxc"}, {"*/lxc/*", "lxc"}, {"db-*", "lxc"}, {"vm-*", "lxc"}});
  }
  std::string Chosen(const std::string& handler, const ImageNamesForRules& image) {
    auto choice = ChooseRuntime(node_.read(), handler, image);
    return choice.ok() ? choice->name : std::string(choice.status().message());
  }

  Record<schema::Config> node_;
};

TEST_F(RuntimeChoiceTest, HandlersAreTakenAtTheirWord) {
  auto chosen = ChooseRuntime(node_.read(), "", {});
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen->path, "/usr/bin/crun");
  EXPECT_EQ(chosen->rule, "default");
  EXPECT_EQ(ChooseRuntime(node_.read(), "crun", {})->rule, "handler");
  auto code = [&](const char* handler) { return CheckHandler(node_.read(), handler).code(); };
  EXPECT_EQ(code("nosuch"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("gone"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code("proxmox"), absl::StatusCode::kUnimplemented);
}

TEST_F(RuntimeChoiceTest, ThePresetsRules) {
  SetPreset();
  for (const char* image : {"lxc/debian", "docker.io/lxc/debian:12", "quay.io/lxc/debian",
                            "db-main:1", "docker.io/library/vm-windows",
                            "vm-x@sha256:"
                            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}) {
    EXPECT_EQ(Chosen("", {.user_specified = image}), "lxc") << image;
  }
  for (const char* image : {"debian", "lxcx/debian", "a/b/lxc/debian", "mydb-main", "org/db-main",
                            "db-1.example.com/nginx", "db-1.example.com/a/b", "xlxc/y", "lxc"}) {
    EXPECT_EQ(Chosen("", {.user_specified = image}), "crun") << image;
  }
}

TEST_F(RuntimeChoiceTest, TheFirstRuleThatMatchesAndNeverAfterAHandler) {
  SetRules({{"nginx:1.*", "lxc"}, {"nginx", "crun"}, {"*", "gone"}});
  auto choice = ChooseRuntime(node_.read(), "", {.user_specified = "nginx:1.25"});
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->name, "lxc");
  EXPECT_EQ(choice->rule, "image rule 'nginx:1.*' of preset lxc");
  EXPECT_EQ(Chosen("", {.user_specified = "nginx:2"}), "crun");
  EXPECT_EQ(Chosen("crun", {.user_specified = "other"}), "crun");
  absl::Status gone = ChooseRuntime(node_.read(), "", {.user_specified = "other"}).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kFailedPrecondition) << "no fallback";
  EXPECT_THAT(std::string(gone.message()), HasSubstr("image rule '*'"));
}

// kubelet names images by id; the author's own words come first, then the image's tags.
TEST_F(RuntimeChoiceTest, TagsOnlyWhereTheAuthorSaidNothing) {
  SetPreset();
  const std::string id = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(Chosen("", {.tags = {"docker.io/lxc/debian:12"}}), "lxc");
  EXPECT_EQ(Chosen("", {.user_specified = id, .tags = {"docker.io/lxc/debian:12"}}), "lxc");
  EXPECT_EQ(Chosen("", {.user_specified = "debian", .tags = {"docker.io/lxc/debian:12"}}), "crun");
  EXPECT_EQ(Chosen("", {.user_specified = id}), "crun");
}

TEST(RuleNames, AreWhatPeopleWrite) {
  EXPECT_THAT(validate::RuleNames("docker.io/library/nginx"), ElementsAre("nginx", "nginx:latest"));
  EXPECT_THAT(validate::RuleNames("quay.io/a/b:1"), ElementsAre("quay.io/a/b", "quay.io/a/b:1"));
  EXPECT_THAT(validate::RuleNames("localhost:5000/x@sha256:" + std::string(64, 'b')),
              ElementsAre("localhost:5000/x"));
  EXPECT_THAT(validate::RuleNames("UPPER"), ElementsAre());
  EXPECT_THAT(validate::RuleNames(""), ElementsAre());
}

}  // namespace
}  // namespace bulkhead::broker
