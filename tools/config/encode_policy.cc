#include <openssl/sha.h>

#include "absl/strings/str_cat.h"
#include "tools/config/encode.h"

namespace bulkhead::tools {
namespace {

using Action = schema::ImagePolicy::Action;

Action ToAction(const std::string& text) {
  if (text == "allow") return Action::ALLOW;
  return text == "signed" ? Action::SIGNED : Action::DENY;
}

void FillTexts(const std::vector<std::string>& from, capnp::List<capnp::Text>::Builder to) {
  for (size_t i = 0; i < from.size(); ++i) to.set(i, from[i]);
}

// Each part with its length before it, so that no two policies give the same text.
void Append(std::string* out, const std::string& part) {
  absl::StrAppend(out, part.size(), ":", part);
}
void Append(std::string* out, const std::vector<std::string>& parts) {
  absl::StrAppend(out, parts.size(), ";");
  for (const std::string& part : parts) Append(out, part);
}

std::string Hash(const ImagePolicySettings& policy) {
  std::string text = "images 1\n";
  Append(&text, policy.default_action);
  for (const TrustRuleSettings& rule : policy.rules) {
    Append(&text, rule.match);
    Append(&text, rule.action);
    Append(&text, rule.keys);
    Append(&text, rule.identities);
  }
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

}  // namespace

void EncodeImagePolicy(const ImagePolicySettings& policy, schema::ImagePolicy::Builder out) {
  out.setDefault(ToAction(policy.default_action));
  auto rules = out.initRules(policy.rules.size());
  for (size_t i = 0; i < policy.rules.size(); ++i) {
    const TrustRuleSettings& from = policy.rules[i];
    rules[i].setMatch(from.match);
    rules[i].setAction(ToAction(from.action));
    FillTexts(from.keys, rules[i].initKeys(from.keys.size()));
    FillTexts(from.identities, rules[i].initIdentities(from.identities.size()));
  }
  std::string hash = Hash(policy);
  out.setHash(kj::StringPtr(hash.c_str(), hash.size()).asBytes());
}

}  // namespace bulkhead::tools
