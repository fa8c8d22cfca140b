#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace bulkhead::base {
namespace {

// write(2) to a pipe is whole up to PIPE_BUF, so lines of several processes do not mix.
constexpr size_t kMaxLine = 4096;

char g_process[32] = "bulkhead";
std::atomic<int> g_threshold{static_cast<int>(Severity::kInfo)};

bool IsPlain(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '"' && c != '\\' && c != '=';
  });
}

std::string Escaped(absl::string_view value) {
  if (IsPlain(value)) return std::string(value);
  return absl::StrCat("\"", absl::CHexEscape(value), "\"");
}

}  // namespace

void SetLogProcess(absl::string_view process) {
  const size_t length = std::min(process.size(), sizeof(g_process) - 1);
  memcpy(g_process, process.data(), length);
  g_process[length] = '\0';
}

void SetLogThreshold(Severity severity) { g_threshold = static_cast<int>(severity); }

void Log(Severity severity, absl::string_view what, std::initializer_list<Field> fields) {
  if (static_cast<int>(severity) < g_threshold) return;
  const int saved_errno = errno;
  std::string line = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
  const char letter = "DIWE"[static_cast<int>(severity)];
  absl::StrAppend(&line, " ", absl::string_view(&letter, 1), " ", g_process, " ",
                  absl::CHexEscape(what));
  for (const Field& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=", Escaped(field.value));
  }
  if (line.size() >= kMaxLine) line.resize(kMaxLine - 1);
  line.push_back('\n');
  // A log that cannot be written must not stop a container.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  errno = saved_errno;
}

}  // namespace bulkhead::base
