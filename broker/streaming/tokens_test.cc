#include "broker/streaming/tokens.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/time/clock.h"
#include "base/ids.h"

namespace bulkhead::broker {
namespace {

using schema::StreamVerb;

StreamGrant GrantFor(const std::string& id, StreamVerb verb = StreamVerb::EXEC) {
  StreamGrant grant;
  grant.verb = verb;
  grant.id = id;
  return grant;
}

TEST(TokensTest, IsGoodOnceAndForItsContainer) {
  Tokens tokens;
  const std::string one = base::FromHex(*tokens.Issue(GrantFor("one")));
  const std::string two = base::FromHex(*tokens.Issue(GrantFor("two")));
  EXPECT_EQ(tokens.Redeem(StreamVerb::EXEC, two)->id, "two");
  EXPECT_EQ(tokens.Redeem(StreamVerb::EXEC, one)->id, "one");
  EXPECT_TRUE(absl::IsNotFound(tokens.Redeem(StreamVerb::EXEC, one).status()));
}

TEST(V43, WrongReplayedExpiredAndOtherVerbAreAllTheSame) {
  Tokens tokens(absl::Milliseconds(50));
  std::set<std::string> answers;
  const auto refused = [&](StreamVerb verb, const std::string& token) {
    const absl::Status status = tokens.Redeem(verb, token).status();
    answers.insert(status.ToString());
    return absl::IsNotFound(status);
  };
  const std::string used = base::FromHex(*tokens.Issue(GrantFor("a")));
  ASSERT_TRUE(tokens.Redeem(StreamVerb::EXEC, used).ok());
  EXPECT_TRUE(refused(StreamVerb::EXEC, used));
  EXPECT_TRUE(refused(StreamVerb::EXEC, ""));
  EXPECT_TRUE(refused(StreamVerb::EXEC, base::FromHex(base::NewId())));
  std::string near = base::FromHex(*tokens.Issue(GrantFor("b")));
  near.back() = static_cast<char>(near.back() ^ 1);
  EXPECT_TRUE(refused(StreamVerb::EXEC, near));
  EXPECT_TRUE(refused(StreamVerb::EXEC, near.substr(0, 16)));
  const std::string other = base::FromHex(*tokens.Issue(GrantFor("c")));
  EXPECT_TRUE(refused(StreamVerb::ATTACH, other));
  EXPECT_TRUE(refused(StreamVerb::EXEC, other)) << "used up by the wrong verb";
  const std::string old = base::FromHex(*tokens.Issue(GrantFor("d")));
  absl::SleepFor(absl::Milliseconds(60));
  EXPECT_TRUE(refused(StreamVerb::EXEC, old));
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(tokens.size(), 0u) << "what is too old takes no room";
}

TEST(TokensTest, AreBoundedInNumberAndBytes) {
  Tokens tokens;
  for (size_t i = 0; i < Tokens::kMost; ++i) ASSERT_TRUE(tokens.Issue(GrantFor("x")).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(tokens.Issue(GrantFor("x")).status()));
  Tokens large;
  absl::Status status;
  for (int i = 0; status.ok() && i < 100; ++i) {
    StreamGrant grant = GrantFor("y");
    grant.job = std::make_shared<capnp::MallocMessageBuilder>();
    grant.job->initRoot<schema::StreamRequest>().initRedeem().initToken(1 << 20);
    status = large.Issue(std::move(grant)).status();
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_LT(large.size(), 40u);
}

}  // namespace
}  // namespace bulkhead::broker
