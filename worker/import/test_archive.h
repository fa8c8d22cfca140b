#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/fs.h"
#include "base/unique_fd.h"
#include "worker/import/archive_index.h"
#include "worker/layer/test_tar.h"

namespace bulkhead::worker {

inline base::UniqueFd FileOf(const std::string& bytes) {
  base::UniqueFd file(memfd_create("archive", MFD_CLOEXEC));
  EXPECT_TRUE(base::WriteAll(file.get(), bytes).ok());
  return file;
}

// What lies at the extent: reads the file, not the tar.
inline std::string At(int file, const Extent& extent) {
  absl::StatusOr<std::string> bytes = base::ReadAt(file, extent.offset, extent.size);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : "";
}

}  // namespace bulkhead::worker
