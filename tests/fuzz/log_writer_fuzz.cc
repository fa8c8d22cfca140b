// What a container prints, in pieces of two streams: the log has every byte of it, in lines of
// CRI's form and no others.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "worker/monitor/log_writer.h"

namespace {

using bulkhead::monitor::LogWriter;
using bulkhead::monitor::Stream;

int64_t FixedTime() { return 1; }
constexpr char kTime[] = "1970-01-01T00:00:00.000000001Z";

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

// The text of both streams as a reader of the log puts it together again.
void ReadBack(absl::string_view log, std::string (&texts)[2]) {
  while (!log.empty()) {
    const size_t end = log.find('\n');
    Require(end != absl::string_view::npos);
    absl::string_view line = log.substr(0, end);
    log.remove_prefix(end + 1);
    Require(line.substr(0, sizeof(kTime) - 1) == kTime);
    line.remove_prefix(sizeof(kTime) - 1);
    const bool err = line.substr(0, 8) == " stderr ";
    Require(err || line.substr(0, 8) == " stdout ");
    line.remove_prefix(8);
    Require(line.size() >= 2 && (line[0] == 'F' || line[0] == 'P') && line[1] == ' ');
    const bool full = line[0] == 'F';
    line.remove_prefix(2);
    Require(line.size() <= LogWriter::kMaxText);
    texts[err ? 1 : 0].append(line.data(), line.size());
    if (full) texts[err ? 1 : 0].push_back('\n');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("log", 0);
  Require(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
  std::string given[2], read[2];
  {
    LogWriter writer(bulkhead::base::UniqueFd(dup(file)), FixedTime);
    absl::string_view rest(reinterpret_cast<const char*>(data), size);
    while (rest.size() >= 2) {
      // One byte for the stream and how often the piece is given, which makes long lines; one for
      // its length.
      const int stream = rest[0] & 1;
      const int times = 1 + (static_cast<uint8_t>(rest[0]) >> 1);
      const absl::string_view piece = rest.substr(2, static_cast<uint8_t>(rest[1]));
      rest.remove_prefix(2 + piece.size());
      for (int i = 0; i < times; ++i) {
        writer.Append(static_cast<Stream>(stream), piece);
        given[stream].append(piece.data(), piece.size());
      }
    }
    writer.Finish(Stream::kStdout);
    writer.Finish(Stream::kStderr);
    Require(writer.dropped() == 0);
  }
  const off_t length = lseek(file, 0, SEEK_END);
  std::string log(static_cast<size_t>(length), '\0');
  Require(pread(file, log.data(), log.size(), 0) == length);
  ReadBack(log, read);
  for (int stream : {0, 1}) Require(read[stream] == given[stream]);
  return 0;
}
