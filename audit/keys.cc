#include "audit/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "audit/entry.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"

namespace bulkhead::audit {
namespace {

constexpr char kSignKeyFile[] = "sign.key";
constexpr char kEpochKeyFile[] = "epoch.key";
constexpr char kNew[] = "new";
constexpr char kNextEpochKeyFile[] = "epoch.key.next";
constexpr size_t kMaxKeyFile = 256;

absl::StatusOr<std::string> Read(int directory, const std::string& name) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, base::OpenAt(directory, name, O_RDONLY | O_NOFOLLOW,
                                                            base::Resolve::kBeneathNoSymlinks));
  return base::ReadAll(fd.get(), kMaxKeyFile);
}

absl::Status Rename(int directory, int fd, const char* from, const std::string& to) {
  if (fsync(fd) != 0) return base::ErrnoStatus(absl::StrCat("write ", to));
  if (renameat(directory, from, directory, to.c_str()) != 0) {
    return base::ErrnoStatus(absl::StrCat("rename to ", to));
  }
  if (fsync(directory) != 0) return base::ErrnoStatus("write the audit directory");
  return absl::OkStatus();
}

// In whole or not at all, and durable.
absl::Status Replace(int directory, const std::string& name, absl::string_view text, mode_t mode) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd,
                            base::OpenAt(directory, kNew, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
                                         base::Resolve::kBeneathNoSymlinks, mode));
  BULKHEAD_RETURN_IF_ERROR(base::WriteAll(fd.get(), text));
  return Rename(directory, fd.get(), kNew, name);
}

absl::StatusOr<EpochKey> ParseEpoch(absl::string_view text) {
  const std::vector<std::string> words = absl::StrSplit(absl::StripAsciiWhitespace(text), ' ');
  EpochKey key;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &key.epoch)) {
    return absl::DataLossError("epoch.key: not a number and a key");
  }
  key.key = base::FromHex(words[1]);
  if (key.key.size() != kKeyBytes) return absl::DataLossError("epoch.key: not 32 bytes");
  return key;
}

}  // namespace

absl::StatusOr<Signer> LoadOrMakeSigner(int directory) {
  absl::StatusOr<std::string> seed = Read(directory, kSignKeyFile);
  if (seed.ok()) return Signer::FromSeed(*seed);
  if (!absl::IsNotFound(seed.status())) return seed.status();
  BULKHEAD_ASSIGN_OR_RETURN(const std::string made, RandomBytes(kKeyBytes));
  BULKHEAD_ASSIGN_OR_RETURN(Signer signer, Signer::FromSeed(made));
  BULKHEAD_RETURN_IF_ERROR(Replace(directory, kPublicKeyFile,
                                   absl::StrCat(absl::BytesToHexString(signer.public_key()), "\n"),
                                   0644));
  BULKHEAD_RETURN_IF_ERROR(Replace(directory, kSignKeyFile, made, 0600));
  return signer;
}

absl::StatusOr<EpochKey> LoadOrMakeEpoch(int directory) {
  absl::StatusOr<std::string> text = Read(directory, kEpochKeyFile);
  if (text.ok()) return ParseEpoch(*text);
  if (!absl::IsNotFound(text.status())) return text.status();
  EpochKey first;
  BULKHEAD_ASSIGN_OR_RETURN(first.key, RandomBytes(kKeyBytes));
  BULKHEAD_RETURN_IF_ERROR(Replace(directory, kInitialKeyFile,
                                   absl::StrCat(absl::BytesToHexString(first.key), "\n"), 0600));
  BULKHEAD_RETURN_IF_ERROR(StoreEpoch(directory, first));
  return first;
}

absl::Status PrepareEpoch(int directory) {
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd fd, base::OpenAt(directory, kNextEpochKeyFile, O_RDWR | O_CREAT | O_NOFOLLOW,
                                      base::Resolve::kBeneathNoSymlinks, 0600));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus("stat the next key's file");
  if (st.st_size >= static_cast<off_t>(kMaxKeyFile)) return absl::OkStatus();
  return base::WriteAll(fd.get(), std::string(kMaxKeyFile, ' '));
}

// Over what PrepareEpoch wrote, which takes no space.
absl::Status StoreEpoch(int directory, const EpochKey& key) {
  BULKHEAD_RETURN_IF_ERROR(PrepareEpoch(directory));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd,
                            base::OpenAt(directory, kNextEpochKeyFile, O_WRONLY | O_NOFOLLOW,
                                         base::Resolve::kBeneathNoSymlinks));
  const std::string text = absl::StrCat(key.epoch, " ", absl::BytesToHexString(key.key), "\n");
  BULKHEAD_RETURN_IF_ERROR(base::WriteAll(fd.get(), text));
  if (ftruncate(fd.get(), text.size()) != 0) return base::ErrnoStatus("cut the key's file");
  return Rename(directory, fd.get(), kNextEpochKeyFile, kEpochKeyFile);
}

absl::StatusOr<std::string> ReadHexFile(int directory, const std::string& name, size_t bytes) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, Read(directory, name));
  std::string decoded = base::FromHex(absl::StripAsciiWhitespace(text));
  if (decoded.size() != bytes) return absl::DataLossError(absl::StrCat(name, ": not a key"));
  return decoded;
}

}  // namespace bulkhead::audit
