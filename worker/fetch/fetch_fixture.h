#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "base/unique_fd.h"
#include "worker/fetch/fetch.h"
#include "worker/fetch/test_server.h"

namespace bulkhead::worker {

using Request = TestServer::Request;
using Response = TestServer::Response;

inline constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

inline std::string BlobDigest(char fill) { return "sha256:" + std::string(64, fill); }

// One request, and the files that its items go to.
class FetchTest : public testing::Test {
 protected:
  FetchTest() {
    request_.registry = "example.io";
    request_.repository = "team/app";
    request_.deadline = base::Deadline::After(absl::Seconds(30));
  }

  void From(const TestServer& server) { request_.endpoints.push_back({server.host(), true}); }
  // Credentials for this server, which is the registry itself.
  void With(const TestServer& server, Credentials auth) {
    From(server);
    request_.registry = server.host();
    request_.auth = std::move(auth);
  }

  void Want(FetchItem item) {
    files_.emplace_back(memfd_create("item", MFD_CLOEXEC));
    item.fd = files_.back().get();
    request_.items.push_back(item);
  }
  void WantManifest(uint64_t max = 1000) { Want({true, "latest", max}); }
  void WantBlob(char fill, uint64_t max = 1000) { Want({false, BlobDigest(fill), max}); }

  std::string Text(size_t item) {
    off_t size = lseek(files_[item].get(), 0, SEEK_END);
    return *base::ReadAt(files_[item].get(), 0, size);
  }

  // Returns the message.
  std::string ExpectFailure(absl::StatusCode code) {
    absl::Status status = Fetch(request_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "SECRET")) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "/v2/")) << status;
    return std::string(status.message());
  }

  FetchRequest request_;
  std::vector<base::UniqueFd> files_;
};

}  // namespace bulkhead::worker
