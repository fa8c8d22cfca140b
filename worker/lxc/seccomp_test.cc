#include "worker/lxc/seccomp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "security/workload/seccomp.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json Policy(const char* rules) {
  return json::parse(std::string(R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,)") +
                     R"("syscalls":)" + rules + "}");
}

TEST(SeccompPolicy, OfTheDefaultFilter) {
  const auto text = SeccompPolicy(security::DefaultSeccomp(0));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, testing::StartsWith("2\nallowlist errno 1\n[all]\n"));
  EXPECT_THAT(*text, HasSubstr("\nread allow\n"));
  EXPECT_THAT(*text, HasSubstr("\nclone3 errno 38\n"));
  EXPECT_THAT(*text, Not(HasSubstr("\nmount allow")));
}

// liblxc wants what is compared with before the mask; OCI says the mask first.
TEST(SeccompPolicy, AMaskedArgumentKeepsItsSense) {
  const auto text = SeccompPolicy(Policy(
      R"([{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2080505856,)"
      R"("valueTwo":7,"op":"SCMP_CMP_MASKED_EQ"}]}])"));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("clone allow [0,7,SCMP_CMP_MASKED_EQ,2080505856]\n"));
}

TEST(SeccompPolicy, ArgumentsOfOneRuleMustAllHoldUnlessTheyAreAlternatives) {
  const auto all = SeccompPolicy(
      Policy(R"([{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,)"
             R"("op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_NE"}]}])"));
  EXPECT_THAT(*all, HasSubstr("socket allow [0,1,SCMP_CMP_EQ,0] [1,2,SCMP_CMP_NE,0]\n"));
  const auto either = SeccompPolicy(
      Policy(R"([{"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,)"
             R"("op":"SCMP_CMP_EQ"},{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}])"));
  EXPECT_THAT(*either, HasSubstr("personality allow [0,0,SCMP_CMP_EQ,0]\n"
                                 "personality allow [0,8,SCMP_CMP_EQ,0]\n"));
}

TEST(SeccompPolicy, WhatItCannotSayIsRefused) {
  for (const char* action : {"SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_KILL_PROCESS"}) {
    json policy = Policy("[]");
    policy["syscalls"] = {{{"names", {"read"}}, {"action", action}}};
    const auto text = SeccompPolicy(policy);
    EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument) << action;
    EXPECT_THAT(std::string(text.status().message()), HasSubstr(action));
  }
  json flags = Policy("[]");
  flags["flags"] = {"SECCOMP_FILTER_FLAG_LOG"};
  EXPECT_FALSE(SeccompPolicy(flags).ok());
  json one = Policy("[]");
  one["architectures"] = {"SCMP_ARCH_X86_64"};
  EXPECT_FALSE(SeccompPolicy(one).ok());
}

// libseccomp would refuse the whole filter.
TEST(SeccompPolicy, ARuleThatSaysWhatHappensAnywayIsLeftOut) {
  const auto text =
      SeccompPolicy(Policy(R"([{"names":["mount"],"action":"SCMP_ACT_ERRNO","errnoRet":1}])"));
  EXPECT_THAT(*text, Not(HasSubstr("mount")));
}

}  // namespace
}  // namespace bulkhead::lxc
