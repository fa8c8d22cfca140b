#include "security/policy/image_policy.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::security {
namespace {

using Action = schema::ImagePolicy::Action;
using ::testing::ElementsAre;

class ImagePolicyTest : public testing::Test {
 public:
  ~ImagePolicyTest() noexcept override = default;

 protected:
  ImagePolicyTest() {
    auto rules = policy_.initRules(3);
    rules[0].setMatch("docker.io/library/**");
    rules[0].setAction(Action::ALLOW);
    rules[1].setMatch("docker.io/**");
    rules[1].setAction(Action::DENY);
    rules[2].setMatch("signed.example/**");
    rules[2].setAction(Action::SIGNED);
    rules[2].initKeys(1).set(0, "PEM");
  }
  capnp::MallocMessageBuilder message_;
  schema::ImagePolicy::Builder policy_ = message_.initRoot<schema::ImagePolicy>();
};

TEST_F(ImagePolicyTest, FirstRuleThatFitsDecides) {
  EXPECT_EQ(DecideImage(policy_, "docker.io/library/busybox").action, Action::ALLOW);
  ImageRule denied = DecideImage(policy_, "docker.io/else/busybox");
  EXPECT_EQ(denied.action, Action::DENY);
  EXPECT_EQ(denied.name, "rule 2 (docker.io/**)");
}

TEST_F(ImagePolicyTest, SignatureMustSpeakOfTheImageUnlessTheRuleSaysElse) {
  ImageRule rule = DecideImage(policy_, "signed.example/app");
  EXPECT_EQ(rule.action, Action::SIGNED);
  EXPECT_THAT(rule.keys, ElementsAre("PEM"));
  EXPECT_THAT(rule.identities, ElementsAre("signed.example/app"));
  policy_.getRules()[2].initIdentities(1).set(0, "up.example/*");
  EXPECT_THAT(DecideImage(policy_, "signed.example/app").identities, ElementsAre("up.example/*"));
}

TEST_F(ImagePolicyTest, DefaultIsForTheRest) {
  EXPECT_EQ(DecideImage(policy_, "quay.io/a").action, Action::ALLOW) << "nothing set";
  policy_.setDefault(Action::DENY);
  EXPECT_EQ(DecideImage(policy_, "quay.io/a").action, Action::DENY);
  policy_.setDefault(Action::SIGNED);
  EXPECT_EQ(DecideImage(policy_, "quay.io/a").action, Action::DENY) << "signed by nobody";
}

TEST_F(ImagePolicyTest, UnknownActionDenies) {
  policy_.getRules()[0].setAction(static_cast<Action>(77));
  EXPECT_EQ(DecideImage(policy_, "docker.io/library/busybox").action, Action::DENY);
  policy_.setDefault(static_cast<Action>(77));
  EXPECT_EQ(DecideImage(policy_, "quay.io/a").action, Action::DENY);
}

}  // namespace
}  // namespace bulkhead::security
