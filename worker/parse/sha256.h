#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace bulkhead::worker {

inline constexpr size_t kSha256Bytes = 32;

// SHA-256 of a stream. Reads no configuration file and loads no module, so it works in an empty
// root.
class Sha256 {
 public:
  Sha256();
  void Update(absl::string_view bytes);
  // The 32 bytes of the digest. Once.
  std::string Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace bulkhead::worker
