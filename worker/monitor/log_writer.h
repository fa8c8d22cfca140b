#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace bulkhead::monitor {

enum class Stream { kStdout = 0, kStderr = 1 };

// A container's output in CRI's log format, one line each: "<RFC 3339, ns, UTC> stdout|stderr F|P
// <text>". A line of more than 16 KiB is cut into parts marked P, as is the rest at the end of a
// stream that lacks its newline. Never waits: what the file does not take (full disk, quota) is
// counted and lost.
class LogWriter {
 public:
  static constexpr size_t kMaxText = 16 << 10;
  using Clock = int64_t (*)();  // ns since 1970

  // log: opened for appending; an empty one takes nothing and loses nothing.
  explicit LogWriter(base::UniqueFd log, Clock clock = WallClock);

  // Takes the next bytes of a stream and writes the lines that they complete.
  void Append(Stream stream, absl::string_view bytes);
  // The stream has ended: writes what is left of it.
  void Finish(Stream stream);
  // From now on to this file: rotation. No line is torn by it.
  void Reopen(base::UniqueFd log) { log_ = std::move(log); }

  // For when nothing has come for a while.
  void GiveBackMemory();

  // Bytes of log lines that the file did not take.
  uint64_t dropped() const { return dropped_; }

  static int64_t WallClock();

 private:
  void AddLine(Stream stream, char tag, absl::string_view text);
  void Flush();

  base::UniqueFd log_;
  Clock clock_;
  std::string pending_[2];  // the unfinished line of each stream
  std::string out_;         // lines for the next write(2)
  bool torn_ = false;       // the file ends in the middle of a line
  uint64_t dropped_ = 0;
};

// "2026-01-02T03:04:05.000000006Z". Looks up no time zone file.
std::string FormatTime(int64_t ns_since_1970);

}  // namespace bulkhead::monitor
