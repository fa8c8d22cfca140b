#include "tools/client/pull_progress.h"

#include <gtest/gtest.h>

namespace bulkhead::tools {
namespace {

using State = schema::Pull::Part::State;

AdminPull Example() {
  AdminPull pull;
  pull.reference = "r.io/a:1";
  pull.seconds = 7;
  std::string digest = "sha256:" + std::string(64, 'a');
  pull.parts = {{digest, 4 << 20, 0, State::DONE},
                {digest, 8 << 20, 4 << 20, State::FETCHING},
                {digest, 0, 0, State::WAITING},
                {digest, 1 << 20, 1 << 20, State::UNPACKING}};
  return pull;
}

TEST(PullProgress, Summary) {
  EXPECT_EQ(PullSummary(Example()), "r.io/a:1: 9.0 of 13.0 MiB, 1 of 4 layers done, 7 s");
  AdminPull waiting = {.reference = "r.io/b:1", .waiting = true};
  EXPECT_EQ(PullSummary(waiting), "r.io/b:1: waits for other pulls");
}

TEST(PullProgress, Bars) {
  EXPECT_EQ(PullBars(Example(), 69),
            "sha256:aaaaaaaaaaaa  [##########]     4.0 of    4.0 MiB  done\n"
            "sha256:aaaaaaaaaaaa  [#####.....]     4.0 of    8.0 MiB  fetching\n"
            "sha256:aaaaaaaaaaaa  [..........]     0.0 of    0.0 MiB  waiting\n"
            "sha256:aaaaaaaaaaaa  [##########]     1.0 of    1.0 MiB  unpacking\n");
  EXPECT_FALSE(PullBars(Example(), 1).empty());
  EXPECT_FALSE(PullBars(Example(), 100000).empty());
}

}  // namespace
}  // namespace bulkhead::tools
