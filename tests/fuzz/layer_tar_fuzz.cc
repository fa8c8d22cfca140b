// A layer's tar as anyone may write it: what the reader hands on must keep to the contract of
// LayerSink, within the limits, and be the same however the pipe cuts the bytes; and what pack
// makes of it must be an image that the kernel takes.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/unique_fd.h"
#include "tests/fuzz/erofs_check.h"
#include "worker/layer/layer_reader.h"
#include "worker/pack/pack.h"

namespace bulkhead::worker {
namespace {

constexpr LayerLimits kLimits = {.max_bytes = 1 << 20,
                                 .max_entries = 500,
                                 .max_tar_bytes = 1 << 20,
                                 .max_depth = 20,
                                 .max_xattr_bytes = 1000};

void Must(bool ok) {
  if (!ok) abort();
}

void CheckName(const EntryName& name) {
  Must(!name.leaf.empty() && name.leaf.size() <= 255 && name.leaf != "." && name.leaf != "..");
  Must(name.leaf.find('/') == std::string::npos);
  const std::string path = absl::StrCat("/", name.parent, "/");
  Must(path == "//" || path.find("//") == std::string::npos);
  Must(path.find("/../") == std::string::npos && path.find("/./") == std::string::npos);
}

// Notes what it is given, and checks it.
class Note : public LayerSink {
 public:
  absl::Status Root(Attributes) override { return Add("root"); }
  absl::Status Directory(const EntryName& name, Attributes attributes) override {
    return AddInode("dir", name, attributes);
  }
  absl::Status File(const EntryName& name, const Attributes& attributes, uint64_t size,
                    Contents contents) override {
    uint64_t end = 0;
    absl::Status read = contents([&](uint64_t offset, absl::string_view bytes) {
      Must(offset >= end && offset + bytes.size() <= size && !bytes.empty());
      end = offset + bytes.size();
      absl::StrAppend(&text_, offset, bytes);
      return absl::OkStatus();
    });
    Must(size <= kLimits.max_bytes);
    return read.ok() ? AddInode("file", name, attributes) : read;
  }
  absl::Status Symlink(const EntryName& name, const Attributes& attributes,
                       const std::string& target) override {
    Must(!target.empty() && target.size() < 4096 && target.find('\0') == std::string::npos);
    return AddInode(target, name, attributes);
  }
  absl::Status Fifo(const EntryName& name, const Attributes& attributes) override {
    return AddInode("fifo", name, attributes);
  }
  absl::Status HardLink(const EntryName& name, const EntryName& target) override {
    CheckName(target);
    return AddInode("hard", name, {});
  }
  absl::Status Whiteout(const std::string& parent, const std::string& hides) override {
    CheckName({parent, hides});
    return Add("whiteout");
  }
  absl::Status Opaque(const std::string& directory) override {
    Must(!directory.empty());
    return Add("opaque");
  }
  uint64_t made() const override { return made_; }
  const std::string& text() const { return text_; }

 private:
  absl::Status AddInode(absl::string_view what, const EntryName& name,
                        const Attributes& attributes) {
    CheckName(name);
    Must((attributes.mode & ~07777) == 0 && attributes.uid < 0x7ffffffe &&
         attributes.gid < 0x7ffffffe);
    for (const Xattr& xattr : attributes.xattrs) {
      Must(xattr.name == "security.capability" || xattr.name.rfind("user.", 0) == 0);
      Must(xattr.name.rfind("user.overlay.", 0) != 0);
    }
    return Add(absl::StrCat(what, " ", name.parent, "/", name.leaf, " ", attributes.mode));
  }
  absl::Status Add(absl::string_view line) {
    absl::StrAppend(&text_, line, "\n");
    ++made_;
    return absl::OkStatus();
  }
  std::string text_;
  uint64_t made_ = 0;
};

// Calls read with a pipe that brings the bytes in pieces.
template <typename F>
void Piped(const std::string& bytes, size_t piece, F read) {
  base::FdPair pipe = *base::MakePipe();
  std::thread writer([&bytes, piece, fd = std::move(pipe.second)] {
    for (size_t at = 0; at < bytes.size(); at += piece) {
      if (write(fd.get(), bytes.data() + at, std::min(piece, bytes.size() - at)) < 0) return;
    }
  });
  read(pipe.first.get());
  pipe.first.Reset();
  writer.join();
}

void Try(const std::string& bytes) {
  Note whole, cut;
  absl::Status first, second;
  Piped(bytes, bytes.size() + 1, [&](int fd) { first = ReadLayer(fd, kLimits, whole).status(); });
  Piped(bytes, 700, [&](int fd) { second = ReadLayer(fd, kLimits, cut).status(); });
  Must(first.code() == second.code());
  if (first.ok()) Must(whole.text() == cut.text());

  base::UniqueFd image(memfd_create("image", MFD_CLOEXEC));
  absl::Status packed;
  Piped(bytes, 60000, [&](int fd) { packed = Pack(fd, image.get(), kLimits).status(); });
  if (!packed.ok()) return;
  lseek(image.get(), 0, SEEK_SET);
  fuzz::CheckImage(*base::ReadAll(image.get(), 64 << 20));
}

}  // namespace
}  // namespace bulkhead::worker

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  signal(SIGPIPE, SIG_IGN);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bulkhead::worker::Try(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
