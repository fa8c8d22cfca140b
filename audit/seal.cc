#include "audit/seal.h"

#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"
#include "base/status.h"

namespace bulkhead::audit {
namespace {

constexpr char kSealDomain[] = "bulkhead audit seal\n";
constexpr char kCheckpointWord[] = "bulkhead-audit-checkpoint";

std::string Number(uint64_t value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

// What a checkpoint signs: the line up to the signature.
std::string CheckpointText(absl::string_view log_id, uint64_t seq, absl::string_view hash) {
  return absl::StrCat(kCheckpointWord, " ", absl::BytesToHexString(log_id), " ", seq, " ",
                      absl::BytesToHexString(hash));
}

}  // namespace

std::string LogId(absl::string_view public_key) { return Sha256({public_key}); }

std::string SealMessage(absl::string_view log_id, uint64_t seq, absl::string_view head,
                        const Seal& seal) {
  return absl::StrCat(kSealDomain, log_id, Number(seq), head, Number(seal.epoch),
                      seal.closing ? "c" : "-");
}

std::string EncodeSeal(const Seal& seal) {
  return absl::StrCat(Number(seal.epoch), seal.closing ? "c" : "-", seal.signature);
}

absl::StatusOr<Seal> DecodeSeal(absl::string_view payload) {
  if (payload.size() != kSealBytes) return absl::DataLossError("seal: wrong length");
  Seal seal;
  memcpy(&seal.epoch, payload.data(), sizeof(seal.epoch));
  const char flag = payload[sizeof(seal.epoch)];
  if (flag != 'c' && flag != '-') return absl::DataLossError("seal: unknown flag");
  seal.closing = flag == 'c';
  seal.signature = std::string(payload.substr(sizeof(seal.epoch) + 1));
  return seal;
}

absl::StatusOr<std::string> MakeCheckpoint(const Signer& signer, uint64_t seq,
                                           absl::string_view hash) {
  const std::string text = CheckpointText(LogId(signer.public_key()), seq, hash);
  BULKHEAD_ASSIGN_OR_RETURN(const std::string signature, signer.Sign(text));
  return absl::StrCat(text, " ", absl::BytesToHexString(signature));
}

absl::StatusOr<Checkpoint> ReadCheckpoint(absl::string_view line, absl::string_view public_key) {
  const std::vector<std::string> words =
      absl::StrSplit(absl::StripAsciiWhitespace(line), ' ', absl::SkipEmpty());
  Checkpoint point;
  if (words.size() != 5 || words[0] != kCheckpointWord || !absl::SimpleAtoi(words[2], &point.seq)) {
    return absl::DataLossError("checkpoint: not one");
  }
  point.log_id = base::FromHex(words[1]);
  point.hash = base::FromHex(words[3]);
  point.signature = base::FromHex(words[4]);
  if (point.log_id != LogId(public_key)) return absl::DataLossError("checkpoint: of another log");
  if (!SignatureIsRight(public_key, CheckpointText(point.log_id, point.seq, point.hash),
                        point.signature)) {
    return absl::DataLossError("checkpoint: wrong signature");
  }
  return point;
}

}  // namespace bulkhead::audit
