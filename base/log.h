#pragma once

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bulkhead::base {

enum class Severity { kDebug, kInfo, kWarning, kError };

// One key=value of a log line. Values are escaped, so no caller can forge a line.
struct Field {
  absl::string_view key;
  std::string value;
  Field(absl::string_view k, const absl::AlphaNum& v) : key(k), value(v.Piece()) {}
};

// Names the process in each line; call once, first in main.
void SetLogProcess(absl::string_view process);
// Lines below this are dropped. Default kInfo.
void SetLogThreshold(Severity severity);

// Writes one line to standard error with one write(2): "<UTC time> I frontend what key=value ...". Never a secret.
void Log(Severity severity, absl::string_view what, std::initializer_list<Field> fields = {});

}  // namespace bulkhead::base
