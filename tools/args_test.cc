#include "tools/args.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Options {
  std::string name;
  bool fast = false;
  std::vector<Option> list{{"name", "NAME", "what", &name, nullptr},
                           {"fast", nullptr, "how", nullptr, &fast}};
  Usage usage{"do THING", "Does it.", list};

  absl::StatusOr<Parsed> Parse(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    return ParseArguments(usage, arguments);
  }
};

TEST(Args, All) {
  Options o;
  absl::StatusOr<Parsed> parsed = o.Parse({"a", "--fast", "--name", "x", "b", "--", "--name", "c"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->words, ElementsAre("a", "b"));
  EXPECT_THAT(parsed->behind, ElementsAre("--name", "c"));
  EXPECT_EQ(o.name, "x");
  EXPECT_TRUE(o.fast);
}

TEST(Args, EqualsSign) {
  Options o;
  ASSERT_TRUE(o.Parse({"--name=a=b"}).ok());
  EXPECT_EQ(o.name, "a=b");
  ASSERT_TRUE(o.Parse({"--name="}).ok());
  EXPECT_THAT(o.name, IsEmpty());
}

TEST(Args, Refused) {
  for (const char* word : {"--nam", "--name", "--fast=1", "-f", "--"}) {
    Options o;
    absl::StatusOr<Parsed> parsed = o.Parse({word});
    EXPECT_EQ(parsed.ok(), std::string(word) == "--") << word;
  }
}

TEST(Args, Help) {
  Options o;
  EXPECT_TRUE(o.Parse({"--help"})->help);
  EXPECT_THAT(HelpText(o.usage), HasSubstr("usage: bulkhead do THING"));
  EXPECT_THAT(HelpText(o.usage), HasSubstr("--name NAME"));
}

}  // namespace
}  // namespace bulkhead::tools
