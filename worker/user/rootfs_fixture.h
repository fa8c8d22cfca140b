#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/unique_fd.h"

namespace bulkhead::worker {

// A directory that plays the root file system of a container.
class RootfsTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/bulkhead-user-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    path_ = path;
    std::filesystem::create_directory(path_ + "/etc");
    rootfs_.Reset(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }

  std::string path_;
  base::UniqueFd rootfs_;
};

}  // namespace bulkhead::worker
