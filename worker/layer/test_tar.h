#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Makes tars for tests byte by byte, also such as no tool would make.
namespace bulkhead::worker {

struct TarEntry {
  std::string name;
  // 0 file, 1 hard link, 2 symlink, 3 char, 4 block, 5 directory, 6 fifo, L and K: GNU long names.
  char type = '0';
  std::string contents = "";
  std::string link = "";
  uint32_t mode = 0644;
  uint64_t uid = 0;
  uint64_t gid = 0;
  uint64_t mtime = 1000000000;
  std::vector<std::pair<std::string, std::string>> pax = {};  // records of a PAX header before it
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
};

class TestTar {
 public:
  TestTar& Add(const TarEntry& entry) {
    if (!entry.pax.empty()) AddPax(entry.pax);
    AddRaw(entry);
    return *this;
  }
  // Two zero blocks end a tar.
  std::string Finish() const { return bytes_ + std::string(1024, '\0'); }
  const std::string& unfinished() const { return bytes_; }
  static TestTar FromBytes(const std::string& unfinished) {
    TestTar tar;
    tar.bytes_ = unfinished;
    return tar;
  }

 private:
  using Header = char[512];

  // Octal where it fits, else base 256, as GNU tar does.
  static void PutNumber(Header header, size_t at, size_t width, uint64_t value) {
    if (value >> (3 * (width - 1)) == 0) {
      snprintf(header + at, width, "%0*llo", static_cast<int>(width - 1),
               static_cast<unsigned long long>(value));
      return;
    }
    for (size_t i = 0; i < width; ++i, value >>= 8) {
      header[at + width - 1 - i] = static_cast<char>(value & 0xff);
    }
    header[at] = static_cast<char>(0x80);
  }

  static void PutText(Header header, size_t at, size_t width, absl::string_view text) {
    memcpy(header + at, text.data(), std::min(width, text.size()));
  }

  void AddPax(const std::vector<std::pair<std::string, std::string>>& records) {
    std::string body;
    for (const auto& [key, value] : records) {
      std::string rest = absl::StrCat(" ", key, "=", value, "\n");
      size_t size = rest.size() + 1;
      while (absl::StrCat(size).size() + rest.size() != size) {
        size = absl::StrCat(size).size() + rest.size();
      }
      absl::StrAppend(&body, size, rest);
    }
    AddRaw({.name = "PaxHeaders/x", .type = 'x', .contents = body});
  }

  void AddRaw(const TarEntry& entry) {
    Header header = {};
    PutText(header, 0, 100, entry.name);
    PutNumber(header, 100, 8, entry.mode);
    PutNumber(header, 108, 8, entry.uid);
    PutNumber(header, 116, 8, entry.gid);
    PutNumber(header, 124, 12, entry.contents.size());
    PutNumber(header, 136, 12, entry.mtime);
    header[156] = entry.type;
    PutText(header, 157, 100, entry.link);
    PutText(header, 257, 8, absl::string_view("ustar\00000", 8));
    PutNumber(header, 329, 8, entry.device_major);
    PutNumber(header, 337, 8, entry.device_minor);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (char c : header) sum += static_cast<unsigned char>(c);
    snprintf(header + 148, 8, "%06o", sum);
    bytes_.append(header, sizeof(Header));
    bytes_ += entry.contents;
    bytes_.append((512 - entry.contents.size() % 512) % 512, '\0');
  }

  std::string bytes_;
};

}  // namespace bulkhead::worker
