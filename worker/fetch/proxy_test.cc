#include "worker/fetch/proxy.h"

#include <gtest/gtest.h>

namespace bulkhead::worker {
namespace {

std::string For(const char* url, const char* none = "") {
  ProxyRules rules = {"http://plain:1", "http://tls:2", none};
  return ProxyFor(rules, *SplitUrl(url));
}

TEST(Proxy, ByScheme) {
  EXPECT_EQ(For("http://a.io/"), "http://plain:1");
  EXPECT_EQ(For("https://a.io/"), "http://tls:2");
  EXPECT_EQ(ProxyFor({}, *SplitUrl("https://a.io/")), "");
}

TEST(Proxy, NeverForThisNode) {
  for (const char* url : {"http://localhost/", "http://127.0.0.1:5000/", "http://127.9.9.9/",
                          "http://[::1]:5000/", "https://x.localhost/"}) {
    EXPECT_EQ(For(url), "") << url;
  }
}

TEST(Proxy, Exceptions) {
  EXPECT_EQ(For("http://a.io/", "b.io, a.io"), "");
  EXPECT_EQ(For("http://x.a.io/", "a.io"), "");
  EXPECT_EQ(For("http://xa.io/", "a.io"), "http://plain:1");
  EXPECT_EQ(For("http://a.io/", ".a.io"), "http://plain:1");
  EXPECT_EQ(For("http://x.a.io/", ".A.io"), "");
  EXPECT_EQ(For("http://x.a.io/", "*.a.io"), "");
  EXPECT_EQ(For("http://a.io/", "*"), "");
  EXPECT_EQ(For("http://a.io:81/", "a.io:80"), "http://plain:1");
  EXPECT_EQ(For("http://a.io:81/", "a.io:81"), "");
  EXPECT_EQ(For("http://10.1.2.3/", "10.0.0.0/8"), "");
  EXPECT_EQ(For("http://11.1.2.3/", "10.0.0.0/8"), "http://plain:1");
  EXPECT_EQ(For("http://10.1.2.3/", "10.1.2.3"), "");
  EXPECT_EQ(For("http://10.1.2.3/", "0.0.0.0/0"), "");
  EXPECT_EQ(For("http://[fd00::1]/", "fd00::/8"), "");
  EXPECT_EQ(For("http://[fd00::1]/", "fd00::1"), "");
  EXPECT_EQ(For("http://[fe00::1]/", "fd00::/8"), "http://plain:1");
  for (const char* odd : {"", ",,", "10.0.0.0/99", "/", "10.0.0.0/x", ":", "[", "]", "[]"}) {
    EXPECT_EQ(For("http://10.1.2.3/", odd), "http://plain:1") << odd;
    EXPECT_EQ(For("http://a.io/", odd), "http://plain:1") << odd;
  }
}

}  // namespace
}  // namespace bulkhead::worker
