// The EROFS writer by itself: any sequence of entries that LayerSink allows makes an image that the
// kernel takes. Three bytes an entry, and its contents are made up, so that a run gets far.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/fs.h"
#include "base/unique_fd.h"
#include "tests/fuzz/erofs_check.h"
#include "worker/pack/image_sink.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kSizes[] = {0,    1,    511,  1900, 2047, 2048, 4000,  4031,    4032,         4095,
                             4096, 4097, 6000, 8191, 8192, 9000, 70000, 1 << 20, (1 << 20) + 1};

EntryName NameFrom(uint8_t byte) {
  static const std::string kParents[] = {"", "a", "a/b", "c", "a/b/c/d", "l", "l/a", "e"};
  static const std::string kLeaves[] = {"a", "b", "c", "l", "e", "!", std::string(255, 'n'), "zz"};
  std::string leaf = kLeaves[byte / 8 % 8] + (byte >= 192 ? std::to_string(byte) : "");
  leaf.resize(std::min<size_t>(leaf.size(), 255));  // the longest that an entry may have
  return {kParents[byte % 8], leaf};
}

Attributes AttributesFrom(uint8_t byte) {
  Attributes attributes = {
      .uid = byte, .gid = byte * 7u, .mode = static_cast<mode_t>(byte * 16 + 4)};
  if (byte % 4 == 0) attributes.xattrs.push_back({"user.x", std::string(byte, 'x')});
  if (byte % 8 == 0) attributes.xattrs.push_back({"user.big", std::string(byte * 20, 'y')});
  return attributes;
}

absl::Status WriteFile(ImageSink& sink, const EntryName& name, uint8_t byte) {
  const size_t size = kSizes[byte % std::size(kSizes)];
  return sink.File(name, AttributesFrom(byte), size, [&](TakePiece take) -> absl::Status {
    // Whole, or two pieces with holes around them.
    if (byte < 128) return size == 0 ? absl::OkStatus() : take(0, std::string(size, 'f'));
    if (size < 100) return absl::OkStatus();
    if (absl::Status status = take(size / 3, "piece"); !status.ok()) return status;
    return take(size - 10, "last piece");
  });
}

absl::Status Apply(ImageSink& sink, uint8_t what, uint8_t where, uint8_t how) {
  const EntryName name = NameFrom(where);
  switch (what % 8) {
    case 0:
      return sink.Directory(name, AttributesFrom(how));
    case 1:
      return sink.Symlink(name, AttributesFrom(how),
                          how < 200 ? "a/b" : std::string(how * 16, 's'));
    case 2:
      return sink.Fifo(name, AttributesFrom(how));
    case 3:
      return sink.HardLink(name, NameFrom(how));
    case 4:
      return sink.Whiteout(name.parent, name.leaf);
    case 5:
      return name.parent.empty() ? sink.Root(AttributesFrom(how)) : sink.Opaque(name.parent);
    default:
      return WriteFile(sink, name, how);
  }
}

}  // namespace
}  // namespace bulkhead::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bulkhead;
  base::UniqueFd file(memfd_create("image", MFD_CLOEXEC));
  worker::ImageSink sink(file.get(), 200);
  if (!sink.Begin().ok()) abort();
  for (size_t i = 0; i + 2 < std::min<size_t>(size, 600); i += 3) {
    // A refused entry would end a layer; here it only must not spoil what is there.
    (void)worker::Apply(sink, data[i], data[i + 1], data[i + 2]);
  }
  if (!sink.Finish().ok()) abort();
  lseek(file.get(), 0, SEEK_SET);
  bulkhead::fuzz::CheckImage(*base::ReadAll(file.get(), 512 << 20));
  return 0;
}
