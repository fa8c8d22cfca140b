#include "validate/reference.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bulkhead::validate {
namespace {

const std::string kHex(64, 'a');

struct Good {
  std::string text;
  std::string registry;
  std::string repository;
  std::string tag;
  bool digest = false;
};

TEST(Reference, ParsesWhatUsersWrite) {
  const Good table[] = {
      {"busybox", "docker.io", "library/busybox", "latest"},
      {"busybox:1.36", "docker.io", "library/busybox", "1.36"},
      {"a/b", "docker.io", "a/b", "latest"},
      {"docker.io/busybox", "docker.io", "library/busybox", "latest"},
      {"index.docker.io/busybox", "docker.io", "library/busybox", "latest"},
      {"index.docker.io/a/b:c", "docker.io", "a/b", "c"},
      {"localhost/a", "localhost", "a", "latest"},
      {"localhost:5000", "docker.io", "library/localhost", "5000"},
      {"host:5000/a/b:tag", "host:5000", "a/b", "tag"},
      {"registry.k8s.io/pause:3.10", "registry.k8s.io", "pause", "3.10"},
      {"127.0.0.1:5000/x", "127.0.0.1:5000", "x", "latest"},
      {"[::1]:5000/x:y", "[::1]:5000", "x", "y"},
      {"[2001:db8::1]/x", "[2001:db8::1]", "x", "latest"},
      {"a--b/c__d.e-f/g_h", "docker.io", "a--b/c__d.e-f/g_h", "latest"},
      {"busybox@sha256:" + kHex, "docker.io", "library/busybox", "", true},
      {"busybox:1@sha256:" + kHex, "docker.io", "library/busybox", "1", true},
      {"h:1/a:TAG_x.Y-z", "h:1", "a", "TAG_x.Y-z"},
  };
  for (const Good& good : table) {
    SCOPED_TRACE(good.text);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<schema::ImageReference>();
    ASSERT_TRUE(ParseReference("image", good.text, out).ok())
        << ParseReference("image", good.text, out);
    EXPECT_EQ(good.registry, out.getRegistry().cStr());
    EXPECT_EQ(good.repository, out.getRepository().cStr());
    EXPECT_EQ(good.tag, out.getTag().cStr());
    EXPECT_EQ(good.digest ? 32u : 0u, out.getDigest().getBytes().size());
    // What the first process writes, the second accepts.
    EXPECT_TRUE(CheckReference("image", out).ok()) << CheckReference("image", out);
  }
}

TEST(Reference, RefusesAllElseAndNamesTheField) {
  const std::string table[] = {
      "", " busybox", "busybox ", "Busybox", "a/B", "HOST:5000/a", "busybox:", "busybox:-x",
      "busybox:" + std::string(129, 'x'), "busybox@", "busybox@sha256:", "busybox@sha256:abcd",
      "busybox@sha512:" + kHex + kHex, "busybox@sha256:" + std::string(64, 'A'),
      "busybox@sha256:" + kHex + "@sha256:" + kHex, kHex, "sha256:" + kHex,
      // Transports and paths (V5).
      "oci:/etc", "dir:/etc", "docker-archive:/x.tar", "docker://busybox", "unix:///run/x.sock",
      "file:///etc/shadow", "http://169.254.169.254/", "/var/lib/kubelet/x.tar", "./x", "../x",
      "a/../b", "a//b", "a/", "/a", "host:5000/", "host:/a", "host:0/a", "host:65536/a",
      "host:99999999999/a", "host:5x/a", "[::1/a", "[::1]x/a", "[fe80::1%eth0]/a", "[1.2.3.4]/a",
      "[zz]/a", "-host.x/a", "host-.x/a", "host..x/a", "a_/b", "a/_b", "a___b", "a.-b", "a..b",
      "a%2eb", "a\nb", std::string("a\0b", 3), "a?b", "a#b", "user@host/a",
      "a/" + std::string(255, 'b'), std::string(2000, 'a')};
  for (const std::string& text : table) {
    SCOPED_TRACE(text);
    capnp::MallocMessageBuilder message;
    const absl::Status status =
        ParseReference("image.image", text, message.initRoot<schema::ImageReference>());
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, status.code()) << status;
    EXPECT_EQ(0u, status.message().find("image.image: ")) << status;
  }
}

struct Typed {
  std::string registry;
  std::string repository;
  std::string tag;
  size_t digest_bytes;
};

absl::Status Check(const Typed& typed) {
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  reference.setRegistry(typed.registry);
  reference.setRepository(typed.repository);
  reference.setTag(typed.tag);
  if (typed.digest_bytes > 0) reference.initDigest().initBytes(typed.digest_bytes);
  return CheckReference("reference", reference);
}

TEST(Reference, ChecksWhatAnotherProcessTyped) {
  EXPECT_TRUE(Check({"docker.io", "library/x", "latest", 0}).ok());
  EXPECT_TRUE(Check({"docker.io", "library/x", "", 32}).ok());
  const Typed bad[] = {
      {"", "x", "t", 0},
      {"docker.io", "", "t", 0},
      {"docker.io", "x", "t", 0},
      {"index.docker.io", "a/x", "t", 0},
      {"docker.io", "a/x", "", 0},
      {"docker.io", "a/x", "t", 31},
      {"docker.io", "a/x", "", 33},
      {"docker.io", "a/../x", "t", 0},
      {"docker.io", "a/x", "/", 0},
      {"host/a", "x", "t", 0},
      {"http://h", "x", "t", 0},
      {"docker.io", "/etc/x", "t", 0},
  };
  for (const Typed& typed : bad) {
    SCOPED_TRACE(absl::StrCat(typed.registry, "|", typed.repository, "|", typed.tag));
    EXPECT_EQ(absl::StatusCode::kInvalidArgument, Check(typed).code());
  }
}

TEST(Reference, FormatsOneNameForOneImage) {
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  ASSERT_TRUE(ParseReference("", "busybox:1@sha256:" + kHex, reference).ok());
  EXPECT_EQ("docker.io/library/busybox:1", FormatReference(reference));
  ASSERT_TRUE(ParseReference("", "h:1/b@sha256:" + kHex, reference).ok());
  EXPECT_EQ("h:1/b@sha256:" + kHex, FormatReference(reference));
  EXPECT_EQ("h:1/b@sha256:" + std::string(64, '0'),
            FormatDigestReference(reference, std::string(32, '\0')));
}

TEST(Reference, KnowsAnImageIdByItsLooks) {
  for (absl::string_view id : {"abcd", "sha256:0123", "deadbeef"}) {
    EXPECT_TRUE(LooksLikeImageId(id)) << id;
  }
  EXPECT_TRUE(LooksLikeImageId(kHex));
  EXPECT_TRUE(LooksLikeImageId("sha256:" + kHex));
  for (absl::string_view name : {"", "abc", "sha256:", "busybox", "ABCD", "sha512:abcd", "ab/cd"}) {
    EXPECT_FALSE(LooksLikeImageId(name)) << name;
  }
  EXPECT_FALSE(LooksLikeImageId(kHex + "a"));
}

}  // namespace
}  // namespace bulkhead::validate
