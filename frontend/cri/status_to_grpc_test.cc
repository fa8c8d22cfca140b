#include "frontend/cri/status_to_grpc.h"

#include <gtest/gtest.h>

namespace bulkhead::frontend {
namespace {

TEST(StatusToGrpc, EveryCodeKeepsItsNumberAndMessage) {
  for (int code = 0; code <= 16; ++code) {
    const grpc::Status status =
        ToGrpc(absl::Status(static_cast<absl::StatusCode>(code), "what happened"));
    EXPECT_EQ(code, static_cast<int>(status.error_code()));
    EXPECT_EQ(code == 0 ? "" : "what happened", status.error_message());
  }
  const absl::Status beyond(static_cast<absl::StatusCode>(99), "x");
  EXPECT_EQ(grpc::StatusCode::UNKNOWN, ToGrpc(beyond).error_code());
}

}  // namespace
}  // namespace bulkhead::frontend
