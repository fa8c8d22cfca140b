#include "tools/host/host.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(KnownHoles, ByVersion) {
  EXPECT_THAT(KnownHoles("crun version 1.8.1"), SizeIs(3));
  EXPECT_THAT(KnownHoles("crun version 1.27-12-gabc"), SizeIs(1));
  EXPECT_THAT(KnownHoles("crun version 1.28"), IsEmpty());
  EXPECT_THAT(KnownHoles("crun version 2.0.0"), IsEmpty());
  EXPECT_THAT(KnownHoles("runc version 1.1.5"), IsEmpty());
  EXPECT_THAT(KnownHoles("crun version x"), IsEmpty());
  EXPECT_THAT(KnownHoles(""), IsEmpty());
}

TEST(DetectHost, Here) {
  absl::StatusOr<Host> host = DetectHost();
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_FALSE(host->kernel.empty());
  EXPECT_FALSE(DetectHost("cgroupfs")->systemd_driver);
  EXPECT_EQ(DetectHost("systemd").ok(), host->systemd_driver);
}

TEST(Features, OfARuntimeThatSaysThem) {
  RuntimeFeatures features = ParseFeatures(R"({"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0",
      "linux":{"seccomp":{"supportedFlags":["SECCOMP_FILTER_FLAG_LOG",7]},
               "mountExtensions":{"idmap":{"enabled":true}}}})");
  EXPECT_TRUE(features.known);
  EXPECT_EQ(features.oci_version_max, "1.3.0");
  EXPECT_TRUE(features.idmap_mounts);
  EXPECT_THAT(features.seccomp_flags, testing::ElementsAre("SECCOMP_FILTER_FLAG_LOG"));
}

TEST(Features, OfOneThatDoesNot) {
  for (const char* text : {"", "unknown command features", "[]", "{}", "{\"ociVersionMax\":1}",
                           "{\"ociVersionMax\":\"1.0.0\""}) {
    EXPECT_FALSE(ParseFeatures(text).known) << text;
  }
  EXPECT_FALSE(ParseFeatures("{\"ociVersionMax\":\"1.1.0\",\"linux\":[]}").idmap_mounts);
  EXPECT_FALSE(AskFeatures("/nowhere").known);
}

class Version : public ::testing::Test {
 protected:
  Version() {
    char name[] = "/tmp/host-test-XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~Version() override { std::filesystem::remove_all(dir_); }
  std::string Script(const std::string& body) {
    std::string path = dir_ + "/program";
    std::ofstream(path) << "#!/bin/sh\n" << body;
    chmod(path.c_str(), 0755);
    return path;
  }
  std::string dir_;
};

TEST_F(Version, FirstLine) {
  absl::StatusOr<std::string> line = RuntimeVersion(Script("echo \"my $1 3.2\"; echo more\n"));
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(*line, "my --version 3.2");
}

TEST_F(Version, Failures) {
  EXPECT_EQ(RuntimeVersion(dir_ + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RuntimeVersion(Script("exit 1\n")).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(RuntimeVersion(Script("printf 'a\\033b\\n'\n")).status().code(),
            absl::StatusCode::kInternal);
}

TEST_F(Version, EndlessOutputIsCut) {
  absl::StatusOr<std::string> line = RuntimeVersion(Script("while :; do echo v 1; done\n"));
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(*line, "v 1");
}

TEST_F(Version, SilenceIsEnded) {
  EXPECT_EQ(RuntimeVersion(Script("exec sleep 100\n")).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(SubordinateIds, AreTheRangeOfBothFiles) {
  const char* text = "kubelet:100000:65536\nbulkhead:200000:131072\n";
  const SubordinateIds found = FindSubordinateIds(text, text, "bulkhead");
  EXPECT_EQ(found.first, 200000u);
  EXPECT_EQ(found.count, 131072u);
  EXPECT_EQ(FindSubordinateIds(text, text, "nobody").count, 0u);
  EXPECT_EQ(FindSubordinateIds(text, "bulkhead:300000:131072\n", "bulkhead").count, 0u);
  for (const char* bad : {"", "bulkhead:0:65536", "bulkhead:x:65536", "bulkhead:2147483647:65536",
                          "bulkhead:200000"}) {
    EXPECT_EQ(FindSubordinateIds(bad, bad, "bulkhead").count, 0u) << bad;
  }
}

}  // namespace
}  // namespace bulkhead::tools
