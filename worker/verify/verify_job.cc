#include "worker/verify/verify_job.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/policy/glob.h"
#include "security/policy/public_key.h"
#include "worker/parse/sha256.h"
#include "worker/verify/payload.h"

namespace bulkhead::worker {
namespace {

using Keys = std::vector<security::PublicKey>;

std::string ToString(capnp::Data::Reader bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

absl::Status Refuse(absl::string_view why) { return absl::PermissionDeniedError(why); }

absl::StatusOr<Keys> ReadKeys(capnp::List<capnp::Text>::Reader pems) {
  Keys keys;
  for (capnp::Text::Reader pem : pems) {
    BULKHEAD_ASSIGN_OR_RETURN(auto key, security::PublicKey::Parse({pem.cStr(), pem.size()}));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return absl::InvalidArgumentError("verify job: no key");
  return keys;
}

absl::StatusOr<std::string> ReadPayload(schema::VerifyJob::Signature::Reader signature, int fd) {
  if (signature.getSize() > kMaxPayloadBytes) return Refuse("what it signs is over 64 KiB");
  BULKHEAD_ASSIGN_OR_RETURN(std::string payload,
                            base::ReadAt(fd, signature.getOffset(), signature.getSize()));
  Sha256 hash;
  hash.Update(payload);
  if (hash.Finish() != ToString(signature.getDigest().getBytes())) {
    return Refuse("what it signs has another digest than announced");
  }
  return payload;
}

absl::StatusOr<uint32_t> FindKey(const Keys& keys, const std::string& payload,
                                 const std::string& signature) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].Verifies(payload, signature)) return i;
  }
  return Refuse("is by none of the policy's keys");
}

absl::StatusOr<uint32_t> FindImage(capnp::List<schema::Digest>::Reader images,
                                   const std::string& digest) {
  for (unsigned i = 0; i < images.size(); ++i) {
    if (ToString(images[i].getBytes()) == digest) return i;
  }
  return Refuse("is about another image");
}

absl::Status CheckIdentity(capnp::List<capnp::Text>::Reader globs, const std::string& repository) {
  for (capnp::Text::Reader glob : globs) {
    if (security::MatchesGlob(glob.cStr(), repository)) return absl::OkStatus();
  }
  return Refuse(absl::StrCat("is for the name ", repository));
}

// The bytes first: nothing in them is looked at before somebody known has signed them.
absl::Status TryOne(schema::VerifyJob::Reader job, const Keys& keys, unsigned i, int fd,
                    schema::VerifyResult::Builder result) {
  auto signature = job.getSignatures()[i];
  BULKHEAD_ASSIGN_OR_RETURN(std::string payload, ReadPayload(signature, fd));
  BULKHEAD_ASSIGN_OR_RETURN(uint32_t key, FindKey(keys, payload, ToString(signature.getBytes())));
  BULKHEAD_ASSIGN_OR_RETURN(SignedStatement said, ParsePayload(payload));
  BULKHEAD_ASSIGN_OR_RETURN(uint32_t image, FindImage(job.getImages(), said.digest));
  BULKHEAD_RETURN_IF_ERROR(CheckIdentity(job.getIdentities(), said.repository));
  result.setSignature(i);
  result.setKey(key);
  result.setImage(image);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunVerifyJob(schema::VerifyJob::Reader job, absl::Span<const base::UniqueFd> payloads,
                          schema::VerifyResult::Builder result) {
  auto signatures = job.getSignatures();
  if (signatures.size() != payloads.size() || signatures.size() > kMaxSignatures) {
    return absl::InvalidArgumentError("verify job: needs an fd for each of at most 16 signatures");
  }
  BULKHEAD_ASSIGN_OR_RETURN(Keys keys, ReadKeys(job.getKeys()));
  std::string reasons;
  for (unsigned i = 0; i < signatures.size(); ++i) {
    absl::Status one = TryOne(job, keys, i, payloads[i].get(), result);
    if (one.ok()) return one;
    absl::StrAppend(&reasons, reasons.empty() ? "" : "; ", "signature ", i + 1, " ", one.message());
  }
  return Refuse(reasons.empty() ? "there is no signature" : reasons);
}

}  // namespace bulkhead::worker
