#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "capnp/message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/policy/test_signing_key.h"
#include "tools/config/encode.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

using ::testing::HasSubstr;
using Action = schema::ImagePolicy::Action;

class Policy : public ::testing::Test {
 protected:
  Policy() {
    char name[] = "/tmp/policy-test-XXXXXX";
    dir_ = mkdtemp(name);
    Write("c.toml", absl::StrCat("policy_file = \"", dir_, "/policy.toml\"\n"));
  }
  ~Policy() override { std::filesystem::remove_all(dir_); }
  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::ofstream(dir_ + "/" + name) << text;
    chmod((dir_ + "/" + name).c_str(), mode);
  }
  absl::StatusOr<Settings> Load(const std::string& policy) {
    Write("policy.toml", policy);
    return LoadSettings(dir_ + "/c.toml");
  }
  std::string Signed() {
    return absl::StrCat(
        "[images]\ndefault = \"deny\"\n[[images.rules]]\nmatch = \"a.example/**\"\n",
        "action = \"signed\"\nkeys = [\"", dir_, "/key.pem\"]\n");
  }
  static std::string HashOf(const Settings& settings) {
    capnp::MallocMessageBuilder message;
    auto policy = message.initRoot<schema::ImagePolicy>();
    EncodeImagePolicy(settings.image_policy, policy);
    auto hash = policy.asReader().getHash().asChars();
    return std::string(hash.begin(), hash.size());
  }
  std::string dir_;
};

TEST_F(Policy, KeysAreReadAndHashed) {
  Write("key.pem", security::SigningKey::P256().PublicPem());
  auto first = Load(Signed());
  ASSERT_TRUE(first.ok()) << first.status();
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<schema::ImagePolicy>();
  EncodeImagePolicy(first->image_policy, out);
  EXPECT_EQ(out.getDefault(), Action::DENY);
  ASSERT_EQ(out.getRules().size(), 1u);
  EXPECT_EQ(out.getRules()[0].getAction(), Action::SIGNED);
  EXPECT_THAT(out.getRules()[0].getKeys()[0].cStr(), HasSubstr("BEGIN PUBLIC KEY"));
  EXPECT_EQ(out.getHash().size(), 32u);
  EXPECT_EQ(HashOf(*Load(Signed())), HashOf(*first)) << "the same policy";
  EXPECT_NE(HashOf(*Load("# nothing\n")), HashOf(*first));
  Write("key.pem", security::SigningKey::P256().PublicPem());
  EXPECT_NE(HashOf(*Load(Signed())), HashOf(*first)) << "another key in the same file";
}

TEST_F(Policy, NothingSaidAllows) {
  auto settings = Load("");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->image_policy.default_action, "allow");
}

TEST_F(Policy, OneThatWasNamedMustBeThere) {
  EXPECT_EQ(LoadSettings(dir_ + "/c.toml").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Policy, OthersMayNotWriteItNorItsKeys) {
  Write("key.pem", security::SigningKey::P256().PublicPem(), 0666);
  EXPECT_EQ(Load(Signed()).status().code(), absl::StatusCode::kPermissionDenied);
  Write("policy.toml", "", 0622);
  EXPECT_EQ(LoadSettings(dir_ + "/c.toml").status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(Policy, RefusesWhatCannotBeMeant) {
  Write("key.pem", security::SigningKey::P384().PublicPem());
  EXPECT_THAT(Load(Signed()).status().message(), HasSubstr("P-256"));
  for (const char* text :
       {"imagse = {}", "[images]\ndefault = \"signed\"", "[images]\ndefault = \"maybe\"",
        "[images]\nrules = [{match = \"a\"}]", "[images]\nrules = [{action = \"allow\"}]",
        "[images]\nrules = [{match = \"a\", action = \"signed\"}]",
        "[images]\nrules = [{match = \"a?\", action = \"deny\"}]",
        "[images]\nrules = [{match = \"a\", action = \"deny\", keys = [\"/k\"]}]",
        "[images]\nrules = [{match = \"a\", action = \"signed\", keys = [\"relative\"]}]"}) {
    EXPECT_EQ(Load(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace bulkhead::tools
