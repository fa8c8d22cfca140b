#include "worker/monitor/log_writer.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace bulkhead::monitor {
namespace {

constexpr size_t kFlushAt = 64 << 10;
constexpr int64_t kNsPerSecond = 1000000000;

}  // namespace

std::string FormatTime(int64_t ns_since_1970) {
  const std::chrono::sys_seconds second{std::chrono::seconds(ns_since_1970 / kNsPerSecond)};
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(second - day);
  char text[40];
  snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
           static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
           static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
           static_cast<int>(time.seconds().count()),
           static_cast<int>(ns_since_1970 % kNsPerSecond));
  return text;
}

LogWriter::LogWriter(base::UniqueFd log, Clock clock) : log_(std::move(log)), clock_(clock) {}

int64_t LogWriter::WallClock() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * kNsPerSecond + now.tv_nsec;
}

void LogWriter::Append(Stream stream, absl::string_view bytes) {
  std::string& pending = pending_[static_cast<int>(stream)];
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    const bool ends = newline != absl::string_view::npos;
    absl::string_view text = bytes.substr(0, newline);
    bytes.remove_prefix(ends ? newline + 1 : text.size());
    // Parts only once it is sure that more follows: a line of exactly 16 KiB stays whole.
    while (pending.size() + text.size() > kMaxText) {
      const size_t take = kMaxText - pending.size();
      absl::StrAppend(&pending, text.substr(0, take));
      text.remove_prefix(take);
      AddLine(stream, 'P', pending);
      pending.clear();
    }
    if (!ends) {
      absl::StrAppend(&pending, text);
    } else if (pending.empty()) {
      AddLine(stream, 'F', text);
    } else {
      absl::StrAppend(&pending, text);
      AddLine(stream, 'F', pending);
      pending.clear();
    }
  }
  Flush();
}

void LogWriter::Finish(Stream stream) {
  std::string& pending = pending_[static_cast<int>(stream)];
  if (!pending.empty()) AddLine(stream, 'P', pending);
  pending.clear();
  Flush();
}

void LogWriter::GiveBackMemory() {
  out_.shrink_to_fit();
  for (std::string& pending : pending_) pending.shrink_to_fit();
}

void LogWriter::AddLine(Stream stream, char tag, absl::string_view text) {
  if (!log_) return;
  out_.append(FormatTime(clock_()));
  out_.append(stream == Stream::kStdout ? " stdout " : " stderr ");
  out_.push_back(tag);
  out_.push_back(' ');
  absl::StrAppend(&out_, text);
  out_.push_back('\n');
  if (out_.size() >= kFlushAt) Flush();
}

void LogWriter::Flush() {
  if (out_.empty()) return;
  // Start anew below a line that a full disk has cut.
  if (torn_) out_.insert(out_.begin(), '\n');
  size_t done = 0;
  while (done < out_.size()) {
    const ssize_t put = write(log_.get(), out_.data() + done, out_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    done += static_cast<size_t>(put);
  }
  dropped_ += out_.size() - done;
  if (done > 0) torn_ = out_[done - 1] != '\n';
  out_.clear();
}

}  // namespace bulkhead::monitor
