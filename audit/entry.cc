#include "audit/entry.h"

#include <openssl/crypto.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "audit/crypto.h"

namespace bulkhead::audit {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kTailBytes = 2 * kHashBytes;
constexpr size_t kHeaderBytes = kEntryOverheadBytes - kLengthBytes - kTailBytes;
constexpr char kEntryDomain[] = "bulkhead audit entry\n";

template <typename T>
void Put(std::string* out, T value) {
  char bytes[sizeof(T)];
  memcpy(bytes, &value, sizeof(T));  // every machine this runs on is little endian
  out->append(bytes, sizeof(T));
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

template <typename T>
T Take(absl::string_view* bytes) {
  T value;
  memcpy(&value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return value;
}

absl::string_view Maced(absl::string_view bytes) {
  return bytes.substr(kLengthBytes, bytes.size() - kLengthBytes - kHashBytes);
}

}  // namespace

std::string EncodeEntry(const EntryHeader& header, absl::string_view payload,
                        absl::string_view prev, absl::string_view key) {
  std::string out;
  Put<uint32_t>(&out, static_cast<uint32_t>(kHeaderBytes + payload.size() + kTailBytes));
  Put(&out, kVersion);
  Put(&out, header.kind);
  Put(&out, header.emitter);
  Put(&out, header.seq);
  Put(&out, header.wall_ns);
  Put(&out, header.boot_ns);
  out.append(reinterpret_cast<const char*>(header.boot_id.data()), header.boot_id.size());
  absl::StrAppend(&out, payload, prev);
  out.append(Hmac(key, absl::string_view(out).substr(kLengthBytes)));
  return out;
}

absl::StatusOr<size_t> EntryBytes(absl::string_view first_four) {
  const uint32_t length = Take<uint32_t>(&first_four);
  if (length < kHeaderBytes + kTailBytes || length > kHeaderBytes + kTailBytes + kMaxPayloadBytes) {
    return absl::DataLossError("entry: impossible length");
  }
  return kLengthBytes + length;
}

absl::StatusOr<Entry> DecodeEntry(absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) return absl::DataLossError("entry: too short");
  const absl::StatusOr<size_t> length = EntryBytes(bytes);
  if (!length.ok()) return length.status();
  if (*length != bytes.size()) return absl::DataLossError("entry: not as long as it says");
  bytes.remove_prefix(kLengthBytes);
  if (Take<uint8_t>(&bytes) != kVersion) return absl::DataLossError("entry: unknown version");
  Entry entry;
  entry.header.kind = Take<EntryKind>(&bytes);
  if (entry.header.kind != EntryKind::kRecord && entry.header.kind != EntryKind::kSeal) {
    return absl::DataLossError("entry: unknown kind");
  }
  entry.header.emitter = Take<Emitter>(&bytes);
  entry.header.seq = Take<uint64_t>(&bytes);
  entry.header.wall_ns = Take<int64_t>(&bytes);
  entry.header.boot_ns = Take<int64_t>(&bytes);
  memcpy(entry.header.boot_id.data(), bytes.data(), kBootIdBytes);
  bytes.remove_prefix(kBootIdBytes);
  const size_t payload = bytes.size() - kTailBytes;
  entry.payload = std::string(bytes.substr(0, payload));
  entry.prev = std::string(bytes.substr(payload, kHashBytes));
  entry.mac = std::string(bytes.substr(payload + kHashBytes));
  return entry;
}

bool MacIsRight(absl::string_view bytes, absl::string_view key) {
  const std::string mac = Hmac(key, Maced(bytes));
  return CRYPTO_memcmp(mac.data(), bytes.data() + bytes.size() - kHashBytes, kHashBytes) == 0;
}

std::string HashEntry(absl::string_view bytes) { return Sha256({kEntryDomain, bytes}); }

}  // namespace bulkhead::audit
