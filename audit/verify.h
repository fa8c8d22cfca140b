#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "audit/entry.h"

namespace bulkhead::audit {

// What the verifier says; the numbers are the exit codes of `bulkhead audit verify`.
enum class Verdict {
  kVerified = 0,
  kTampered = 1,
  kIncomplete = 2,    // whole so far, but the writer did not end in order: the last records have no
                      // seal over them, or an entry was being written
  kCannotVerify = 3,  // a key or the log's beginning is missing
};

struct VerifyOptions {
  std::string public_key;   // 32 bytes, known from elsewhere than the log's directory
  std::string initial_key;  // 32 bytes; empty: macs are not checked, and the verdict is no better
                            // than kCannotVerify
  std::vector<std::string> checkpoints;  // lines kept off the node
};

struct Report {
  Verdict verdict = Verdict::kVerified;
  std::string
      finding;  // "edit", "delete", "insert", "truncate", "fork", "bad seal", ...; empty: none
  uint64_t bad_seq = 0;  // where it was found; 0: nowhere
  uint64_t records = 0;
  uint64_t seals = 0;
  uint64_t last_seq = 0;
  uint64_t last_sealed_seq = 0;
};

// Reads a log once from its beginning, in memory for one entry; needs no privilege. directory:
// opened for reading. each: called for every entry that was found good so far.
Report Verify(int directory, const VerifyOptions& options,
              const std::function<void(const Entry&)>& each = nullptr);

}  // namespace bulkhead::audit
