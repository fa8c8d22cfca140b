#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {
namespace {

// "", "uid", "uid:gid", "name" or "name:group": kubelet wants to know whether it is a number that
// is not 0.
void FromUser(const std::string& written, v1::Image* out) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(written, absl::MaxSplits(':', 1));
  uint32_t uid = 0;
  if (absl::SimpleAtoi(parts.first, &uid)) {
    out->mutable_uid()->set_value(uid);
  } else {
    out->set_username(parts.first);
  }
}

}  // namespace

void FromImage(schema::Image::Reader in, v1::Image* out) {
  out->set_id(String(in.getId()));
  for (const auto tag : in.getRepoTags()) out->add_repo_tags(String(tag));
  for (const auto digest : in.getRepoDigests()) out->add_repo_digests(String(digest));
  out->set_size(in.getSizeBytes());
  FromUser(String(in.getConfig().getUser()), out);
  out->set_pinned(in.getPinned());
}

}  // namespace bulkhead::frontend
