#include "validate/reference.h"

#include <arpa/inet.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"
#include "base/status.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

constexpr absl::string_view kDigestPrefix = "sha256:";
constexpr size_t kDigestBytes = 32;
constexpr size_t kMaxNameBytes = 255;  // registry and repository together
constexpr size_t kMaxTagBytes = 128;
constexpr size_t kMaxReferenceBytes = 1024;

bool IsAlnum(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

bool IsPort(absl::string_view text) {
  uint32_t port = 0;
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &port) && port >= 1 && port <= 65535;
}

// Letters and digits, hyphens inside.
bool IsDomainComponent(absl::string_view text) {
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsAlnum(c) || c == '-'; });
}

bool IsHost(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "[")) {
    unsigned char address[16];
    return absl::ConsumeSuffix(&text, "]") &&
           text.find_first_not_of("0123456789abcdef:.") == absl::string_view::npos &&
           inet_pton(AF_INET6, std::string(text).c_str(), address) == 1;
  }
  for (absl::string_view component : absl::StrSplit(text, '.')) {
    if (!IsDomainComponent(component)) return false;
  }
  return true;
}

// host[:port]
bool IsRegistry(absl::string_view text) {
  const size_t bracket = text.rfind(']');
  const size_t from = bracket == absl::string_view::npos ? 0 : bracket;
  const size_t colon = text.find(':', from);
  if (colon == absl::string_view::npos) return IsHost(text);
  return IsHost(text.substr(0, colon)) && IsPort(text.substr(colon + 1));
}

// Runs of letters and digits with one separator between two: ".", "_", "__" or hyphens.
bool IsPathComponent(absl::string_view text) {
  if (text.empty() || !IsAlnum(text.front()) || !IsAlnum(text.back())) return false;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && !IsAlnum(text[end])) ++end;
    const absl::string_view gap = text.substr(i, end - i);
    const bool hyphens = gap.find_first_not_of('-') == absl::string_view::npos;
    if (!hyphens && gap != "." && gap != "_" && gap != "__") return false;
    i = std::max(end, i + 1);
  }
  return true;
}

bool IsRepository(absl::string_view text) {
  const std::vector<absl::string_view> components = absl::StrSplit(text, '/');
  return std::all_of(components.begin(), components.end(), IsPathComponent);
}

bool IsTag(absl::string_view text) {
  if (text.empty() || text.size() > kMaxTagBytes || text[0] == '.' || text[0] == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

// Whether what stands before the first slash is a registry, not part of a repository on the
// default.
bool NamesRegistry(absl::string_view first) {
  return first == "localhost" || first.find_first_of(".:[") != absl::string_view::npos ||
         std::any_of(first.begin(), first.end(), absl::ascii_isupper);
}

struct Name {
  std::string registry;
  std::string repository;
};

Name SplitName(absl::string_view text) {
  Name name{kDefaultRegistry, std::string(text)};
  const size_t slash = text.find('/');
  if (slash != absl::string_view::npos && NamesRegistry(text.substr(0, slash))) {
    name.registry = std::string(text.substr(0, slash));
    name.repository = std::string(text.substr(slash + 1));
  }
  if (name.registry == "index.docker.io") name.registry = kDefaultRegistry;
  if (name.registry == kDefaultRegistry && !absl::StrContains(name.repository, '/')) {
    name.repository = absl::StrCat("library/", name.repository);
  }
  return name;
}

// Takes "@sha256:<hex>" off the end; bytes stays empty where there is none.
absl::Status TakeDigest(absl::string_view field, absl::string_view* text, std::string* bytes) {
  const size_t at = text->find('@');
  if (at == absl::string_view::npos) return absl::OkStatus();
  absl::string_view digest = text->substr(at + 1);
  *text = text->substr(0, at);
  if (!absl::ConsumePrefix(&digest, kDigestPrefix) || digest.size() != 2 * kDigestBytes) {
    return Refuse(field, "the digest must be sha256: and 64 hex digits");
  }
  *bytes = base::FromHex(digest);
  if (bytes->empty()) return Refuse(field, "the digest must be sha256: and 64 hex digits");
  return absl::OkStatus();
}

// Takes ":tag" off the end: a colon after the last slash, so not that of a port.
bool TakeTag(absl::string_view* text, std::string* tag) {
  const size_t slash = text->rfind('/');
  const size_t colon = text->rfind(':');
  if (colon == absl::string_view::npos) return false;
  if (slash != absl::string_view::npos && colon < slash) return false;
  *tag = std::string(text->substr(colon + 1));
  *text = text->substr(0, colon);
  return true;
}

absl::Status CheckName(absl::string_view field, absl::string_view registry,
                       absl::string_view repository) {
  if (!IsRegistry(registry)) {
    return Refuse(field, "not an image reference: the registry must be host[:port] in lower case");
  }
  if (!IsRepository(repository)) {
    return Refuse(field,
                  "not an image reference: the repository must be of a-z, 0-9 and separators");
  }
  if (registry.size() + 1 + repository.size() > kMaxNameBytes) {
    return Refuse(field, absl::StrCat("the name is longer than ", kMaxNameBytes, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseReference(absl::string_view field, absl::string_view text,
                            schema::ImageReference::Builder out) {
  if (text.empty()) return Refuse(field, "must not be empty");
  if (text.size() > kMaxReferenceBytes) {
    return Refuse(field, absl::StrCat("longer than ", kMaxReferenceBytes, " bytes"));
  }
  if (absl::StartsWith(text, kDigestPrefix) || (text.size() == 64 && IsHex(text))) {
    return Refuse(field, "an image id, where the name of an image is needed");
  }
  std::string digest;
  std::string tag;
  BULKHEAD_RETURN_IF_ERROR(TakeDigest(field, &text, &digest));
  const bool tagged = TakeTag(&text, &tag);
  if (tagged && !IsTag(tag)) return Refuse(field, "the tag is malformed");
  const Name name = SplitName(text);
  BULKHEAD_RETURN_IF_ERROR(CheckName(field, name.registry, name.repository));

  if (!tagged && digest.empty()) tag = kDefaultTag;
  out.setRegistry(name.registry);
  out.setRepository(name.repository);
  out.setTag(tag);
  if (!digest.empty()) {
    out.initDigest().setBytes(
        kj::arrayPtr(reinterpret_cast<const kj::byte*>(digest.data()), digest.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckReference(absl::string_view field, schema::ImageReference::Reader reference) {
  const absl::string_view registry = View(reference.getRegistry());
  const absl::string_view repository = View(reference.getRepository());
  BULKHEAD_RETURN_IF_ERROR(CheckName(field, registry, repository));
  // One image, one name: what ParseReference would have written otherwise is not accepted.
  if (registry == "index.docker.io" ||
      (registry == kDefaultRegistry && !absl::StrContains(repository, '/'))) {
    return Refuse(field, "the name is not normalised");
  }
  const absl::string_view tag = View(reference.getTag());
  const size_t digest = reference.getDigest().getBytes().size();
  if (digest != 0 && digest != kDigestBytes) return Refuse(field, "the digest is malformed");
  if (tag.empty() && digest == 0) return Refuse(field, "neither tag nor digest");
  if (!tag.empty() && !IsTag(tag)) return Refuse(field, "the tag is malformed");
  return absl::OkStatus();
}

std::string FormatReference(schema::ImageReference::Reader reference) {
  const absl::string_view tag = View(reference.getTag());
  if (tag.empty()) {
    return FormatDigestReference(reference, View(reference.getDigest().getBytes()));
  }
  return absl::StrCat(View(reference.getRegistry()), "/", View(reference.getRepository()), ":",
                      tag);
}

std::string FormatDigestReference(schema::ImageReference::Reader reference,
                                  absl::string_view digest) {
  return absl::StrCat(View(reference.getRegistry()), "/", View(reference.getRepository()), "@",
                      kDigestPrefix, base::ToHex(digest));
}

bool IsRegistryName(absl::string_view text) {
  return text.size() <= kMaxNameBytes && IsRegistry(text);
}

bool LooksLikeImageId(absl::string_view text) {
  absl::ConsumePrefix(&text, kDigestPrefix);
  return text.size() >= 4 && text.size() <= 2 * kDigestBytes && IsHex(text);
}

}  // namespace bulkhead::validate
