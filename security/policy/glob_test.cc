#include "security/policy/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace bulkhead::security {
namespace {

struct Row {
  const char* glob;
  const char* text;
  bool fits;
};

TEST(Glob, OneStarStaysBetweenSlashes) {
  const Row table[] = {
      {"docker.io/library/busybox", "docker.io/library/busybox", true},
      {"docker.io/library/busybox", "docker.io/library/busybox2", false},
      {"docker.io/library/busybox", "docker.io/library/busybo", false},
      {"docker.io/*", "docker.io/a", true},
      {"docker.io/*", "docker.io/a/b", false},
      {"docker.io/*", "docker.io/", true},
      {"docker.io/**", "docker.io/a/b/c", true},
      {"docker.io/**", "docker.ioo/a", false},
      {"docker.io/**", "evil.example/docker.io/a", false},
      {"**", "", true},
      {"**", "a/b", true},
      {"*", "a/b", false},
      {"**/pause:*", "registry.k8s.io/pause:3.10", true},
      {"**/pause:*", "registry.k8s.io/a/pause:3", true},
      {"**/pause:*", "registry.k8s.io/pause2:3", false},
      {"*.example/**", "r.example/a/b", true},
      {"*.example/**", "x/r.example/a", false},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbY/Zc", false},
      {"a**b*c", "a/b/b/bXc", true},
      {"a**b*c", "a/bX/c", false},
      {"", "", true},
      {"", "a", false},
      {"***", "a/b", true},
  };
  for (const Row& row : table) {
    EXPECT_EQ(MatchesGlob(row.glob, row.text), row.fits) << row.glob << " " << row.text;
  }
}

TEST(Glob, HostileOneEndsSoon) {
  std::string glob, text(2000, 'a');
  for (int i = 0; i < 16; ++i) glob += i % 2 == 0 ? "*a" : "**a";
  EXPECT_FALSE(MatchesGlob(glob + "b", text));
}

TEST(Glob, Check) {
  EXPECT_TRUE(CheckGlob("docker.io/**/x-y_z:1.2@sha256:*").ok());
  EXPECT_TRUE(CheckGlob("[::1]:5000/*").ok());
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a?"),
                                 std::string("a\n"), std::string(513, 'a'), std::string(17, '*')}) {
    EXPECT_FALSE(CheckGlob(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace bulkhead::security
