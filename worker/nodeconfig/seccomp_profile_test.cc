#include "worker/nodeconfig/seccomp_profile.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

using Action = schema::SeccompFilter::Action;
using testing::HasSubstr;

class Profile : public testing::Test {
 protected:
  absl::Status Parse(absl::string_view text) {
    filter_ = (message_ = std::make_unique<capnp::MallocMessageBuilder>())
                  ->initRoot<schema::SeccompFilter>();
    return ParseSeccompProfile(text, facts_, filter_);
  }
  // A profile of one rule, with these members beside its name and action.
  absl::Status ParseRule(absl::string_view members) {
    return Parse(absl::StrCat(
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW",)",
        members, "}]}"));
  }
  size_t Rules() { return filter_.getRules().size(); }

  SeccompFacts facts_ = {.architecture = "amd64", .kernel = "6.1.0-13-amd64"};
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  schema::SeccompFilter::Builder filter_{nullptr};
};

TEST_F(Profile, OfTheRuntimeSpec) {
  ASSERT_TRUE(Parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 38,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "syscalls": [{"names": ["chmod", "fchmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
      "args": [{"index": 1, "value": 18446744073709551615, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]})")
                  .ok());
  EXPECT_EQ(filter_.getDefaultAction(), Action::ALLOW);
  EXPECT_TRUE(filter_.getHasDefaultErrno());
  EXPECT_EQ(filter_.getDefaultErrno(), 38u);
  EXPECT_EQ(filter_.getArchitectures().size(), 2u);
  EXPECT_STREQ(filter_.getFlags()[0].cStr(), "SECCOMP_FILTER_FLAG_LOG");
  ASSERT_EQ(Rules(), 1u);
  auto rule = filter_.getRules()[0];
  EXPECT_STREQ(rule.getNames()[1].cStr(), "fchmod");
  EXPECT_EQ(rule.getAction(), Action::ERRNO);
  EXPECT_EQ(rule.getErrno(), 1u);
  EXPECT_EQ(rule.getArgs()[0].getValue(), UINT64_MAX);
  EXPECT_EQ(rule.getArgs()[0].getOp(), schema::SeccompFilter::Compare::MASKED_EQUAL);
}

TEST_F(Profile, RulesThatDependOnTheContainer) {
  facts_.capabilities = uint64_t{1} << CAP_SYS_ADMIN;
  const auto applies = [&](absl::string_view condition) {
    absl::Status parsed = ParseRule(condition);
    EXPECT_TRUE(parsed.ok()) << parsed;
    return Rules() == 1;
  };
  EXPECT_TRUE(applies(R"("includes":{"caps":["CAP_SYS_ADMIN"]})"));
  EXPECT_FALSE(applies(R"("includes":{"caps":["CAP_SYS_ADMIN","CAP_BPF"]})"));
  EXPECT_FALSE(applies(R"("excludes":{"caps":["CAP_SYS_ADMIN","CAP_BPF"]})"));
  EXPECT_TRUE(applies(R"("excludes":{"caps":["CAP_BPF"]})"));
  EXPECT_TRUE(applies(R"("includes":{"arches":["amd64","x32"]})"));
  EXPECT_FALSE(applies(R"("includes":{"arches":["arm64"]})"));
  EXPECT_TRUE(applies(R"("includes":{"minKernel":"4.8"},"excludes":{})"));
  EXPECT_TRUE(applies(R"("includes":{"minKernel":"6.1"})"));
  EXPECT_FALSE(applies(R"("includes":{"minKernel":"6.2"})"));
}

TEST_F(Profile, ArchitecturesOfTheNode) {
  ASSERT_TRUE(Parse(R"({"defaultAction":"SCMP_ACT_ERRNO","archMap":[
    {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]},
    {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}],
    "syscalls":null})")
                  .ok());
  ASSERT_EQ(filter_.getArchitectures().size(), 3u);
  EXPECT_STREQ(filter_.getArchitectures()[0].cStr(), "SCMP_ARCH_X86_64");
}

// What is not understood must not be left out of a filter, and nothing of the file is repeated.
TEST_F(Profile, WhatIsNotUnderstoodIsRefused) {
  for (
      const char* text : {
          "",
          "{}",
          "[]",
          "null",
          "{\"defaultAction\":\"SCMP_ACT_ALLOW\"} {}",
          R"({"defaultAction":"SCMP_ACT_NOTIFY"})",
          R"({"defaultAction":"scmp_act_allow"})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/secret.sock"})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":4096})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":-1})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["a b"]})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["A"],"archMap":[{"architecture":"A"}]})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_ALLOW"}]})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["../x"],"action":"SCMP_ACT_ALLOW"}]})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"]}]})",
          R"({"defaultAction":"SCMP_ACT_ALLOW","defaultAction":"SCMP_ACT_ERRNO"})",
      }) {
    absl::Status status = Parse(text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(std::string(status.message()).find("secret"), std::string::npos) << status;
  }
  for (const char* members :
       {R"("args":[{"index":6,"op":"SCMP_CMP_EQ"}])", R"("args":[{"op":"EQ"}])",
        R"("includes":{"caps":["SYS_ADMIN"]})", R"("includes":{"caps":["CAP_NO"]})",
        R"("includes":{"minKernel":"six"})", R"("includes":{"os":["linux"]})",
        R"("unless":true)"}) {
    EXPECT_EQ(ParseRule(members).code(), absl::StatusCode::kInvalidArgument) << members;
  }
}

TEST_F(Profile, LimitsAreAtTheirValues) {
  const auto with_rules = [](size_t count) {
    std::string text = R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)";
    for (size_t i = 0; i < count; ++i) {
      absl::StrAppend(&text, i == 0 ? "" : ",", R"({"names":["read"],"action":"SCMP_ACT_ALLOW"})");
    }
    return text + "]}";
  };
  EXPECT_TRUE(Parse(with_rules(2048)).ok());
  EXPECT_EQ(Parse(with_rules(2049)).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bulkhead::worker
