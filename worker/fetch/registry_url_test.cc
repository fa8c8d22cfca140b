#include "worker/fetch/registry_url.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

#include "worker/fetch/address.h"

namespace bulkhead::worker {
namespace {

TEST(RegistryUrl, Content) {
  EXPECT_EQ(ContentUrl({"r.io"}, "r.io", "a/b", "manifests", "latest"),
            "https://r.io/v2/a/b/manifests/latest");
  EXPECT_EQ(ContentUrl({"m:5000", true}, "r.io:443", "a", "blobs", "sha256:00"),
            "http://m:5000/v2/a/blobs/sha256:00?ns=r.io%3A443");
}

TEST(RegistryUrl, DockerHub) {
  EXPECT_EQ(ContentUrl({"docker.io"}, "docker.io", "library/a", "manifests", "1"),
            "https://registry-1.docker.io/v2/library/a/manifests/1");
  EXPECT_EQ(ContentUrl({"registry-1.docker.io"}, "docker.io", "a", "manifests", "1"),
            "https://registry-1.docker.io/v2/a/manifests/1");
}

TEST(RegistryUrl, Names) {
  for (const char* host : {"r.io", "r.io:5000", "127.0.0.1:1", "[::1]:5000", "a-b.c"}) {
    EXPECT_TRUE(CheckHost(host).ok()) << host;
  }
  for (const char* host :
       {"", "a/b", "u@r.io", "r.io:x", "r io", "r.io?x", "r.io#", "a\n", "::1"}) {
    EXPECT_FALSE(CheckHost(host).ok()) << host;
  }
  EXPECT_TRUE(CheckRepository("library/busybox").ok());
  for (const char* name : {"", "/a", "a/", "a//b", "../a", "a/../b", "a?b", "a b", "a%2f"}) {
    EXPECT_FALSE(CheckRepository(name).ok()) << name;
  }
  EXPECT_TRUE(CheckTag("v1.2_x-3").ok());
  for (const char* tag : {"", ".a", "-a", "a/b", "a:b", "a?b"}) EXPECT_FALSE(CheckTag(tag).ok());
}

TEST(RegistryUrl, Redirects) {
  EXPECT_TRUE(CheckRedirect("https://a/x", "https://b/y").ok());
  EXPECT_TRUE(CheckRedirect("http://a/x", "https://b/y").ok());
  EXPECT_TRUE(CheckRedirect("http://a/x", "http://b/y").ok());
  for (const char* to : {"http://a/x", "file:///etc/shadow", "ftp://a/", "unix:///run/x",
                         "gopher://a", "HTTP://a/", ""}) {
    EXPECT_EQ(CheckRedirect("https://a/x", to).code(), absl::StatusCode::kPermissionDenied) << to;
  }
}

TEST(RegistryUrl, ShowsNeitherUserNorQuery) {
  EXPECT_EQ(ShowHost(*SplitUrl("https://user:SECRET@h.io/path?sig=SECRET")), "h.io");
  EXPECT_EQ(ShowHost(*SplitUrl("http://h.io:5000/")), "h.io:5000");
}

bool Forbidden(const char* text) {
  sockaddr_storage storage = {};
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &six->sin6_addr), 1) << text;
    six->sin6_family = AF_INET6;
  }
  return IsOwnOrLinkLocal(*reinterpret_cast<sockaddr*>(&storage));
}

TEST(Address, OwnOrLinkLocal) {
  for (const char* text :
       {"127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "::1", "::", "fe80::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"}) {
    EXPECT_TRUE(Forbidden(text)) << text;
  }
  for (const char* text : {"8.8.8.8", "10.0.0.1", "169.253.0.1", "2001:db8::1", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(Forbidden(text)) << text;
  }
}

}  // namespace
}  // namespace bulkhead::worker
