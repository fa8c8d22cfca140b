#include "worker/nodeconfig/seccomp_profile.h"

#include <sys/capability.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {
namespace {

using schema::SeccompFilter;
using Action = SeccompFilter::Action;
using Compare = SeccompFilter::Compare;

constexpr size_t kMaxRules = 2048;
constexpr size_t kMaxNames = 2048;
constexpr size_t kMaxArguments = 16;
constexpr size_t kMaxWords = 32;
constexpr uint32_t kMaxErrno = 4095;  // what a filter can return

template <typename T>
struct Word {
  absl::string_view text;
  T value;
};
constexpr Word<Action> kActions[] = {
    {"SCMP_ACT_KILL", Action::KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", Action::KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", Action::KILL_PROCESS},
    {"SCMP_ACT_TRAP", Action::TRAP},
    {"SCMP_ACT_ERRNO", Action::ERRNO},
    {"SCMP_ACT_TRACE", Action::TRACE},
    {"SCMP_ACT_LOG", Action::LOG},
    {"SCMP_ACT_ALLOW", Action::ALLOW},
};
constexpr Word<Compare> kCompares[] = {
    {"SCMP_CMP_NE", Compare::NOT_EQUAL},           {"SCMP_CMP_LT", Compare::LESS},
    {"SCMP_CMP_LE", Compare::LESS_OR_EQUAL},       {"SCMP_CMP_EQ", Compare::EQUAL},
    {"SCMP_CMP_GE", Compare::GREATER_OR_EQUAL},    {"SCMP_CMP_GT", Compare::GREATER},
    {"SCMP_CMP_MASKED_EQ", Compare::MASKED_EQUAL},
};

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("seccomp profile: ", what));
}

template <typename T, size_t N>
absl::StatusOr<T> Lookup(const Word<T> (&words)[N], absl::string_view what,
                         const std::string& text) {
  for (const Word<T>& word : words) {
    if (word.text == text) return word.value;
  }
  return Bad(absl::StrCat("unknown ", what));
}

absl::Status OnlyKeys(const Json& object, absl::string_view what,
                      std::initializer_list<absl::string_view> known) {
  const auto* members = object.get_ptr<const Json::object_t*>();
  if (members == nullptr) return Bad(absl::StrCat(what, " is no object"));
  for (const auto& [key, value] : *members) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Bad(absl::StrCat(what, " has a key that is not understood"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Words(const Json& object, const char* key, size_t max) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* array, ArrayMember(object, key));
  if (array->size() > max) return absl::ResourceExhaustedError(absl::StrCat(key, ": too many"));
  std::vector<std::string> words;
  for (const Json& element : *array) {
    const auto* text = element.get_ptr<const std::string*>();
    if (text == nullptr || text->empty()) return Bad(absl::StrCat(key, " is no list of words"));
    words.push_back(*text);
  }
  return words;
}

absl::StatusOr<uint64_t> Number(const Json& object, const char* key, uint64_t max) {
  const Json* member = Member(object, key);
  if (member == nullptr) return 0;
  const auto* number = member->get_ptr<const Json::number_unsigned_t*>();
  if (number == nullptr || *number > max) return Bad(absl::StrCat(key, " is no number in range"));
  return *number;
}

// Names of calls, architectures and flags: nothing that a runtime could take for more than a name.
bool IsWord(absl::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_';
  });
}

template <typename List>
absl::Status SetWords(const std::vector<std::string>& words, const char* what, List list) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (!IsWord(words[i])) return Bad(absl::StrCat(what, ": not a name"));
    list.set(i, words[i]);
  }
  return absl::OkStatus();
}

// The architecture and its sub-architectures, of the entry that is the node's.
absl::StatusOr<std::vector<std::string>> Architectures(const Json& profile,
                                                       const SeccompFacts& facts) {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> words,
                            Words(profile, "architectures", kMaxWords));
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* map, ArrayMember(profile, "archMap"));
  if (!map->empty() && !words.empty()) return Bad("both architectures and archMap");
  const std::string native =
      facts.architecture == "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64";
  for (const Json& entry : *map) {
    BULKHEAD_RETURN_IF_ERROR(OnlyKeys(entry, "archMap", {"architecture", "subArchitectures"}));
    BULKHEAD_ASSIGN_OR_RETURN(const std::string name, StringMember(entry, "architecture"));
    if (name != native) continue;
    BULKHEAD_ASSIGN_OR_RETURN(words, Words(entry, "subArchitectures", kMaxWords));
    words.insert(words.begin(), name);
  }
  return words;
}

// "6.1" of the rule, "6.1.0-13-amd64" of the node.
absl::StatusOr<bool> KernelIsAtLeast(const std::string& wanted, const std::string& release) {
  const auto parse = [](absl::string_view text, unsigned* major, unsigned* minor) {
    const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('.', 2));
    if (parts.size() < 2) return false;
    const absl::string_view digits = parts[1].substr(0, parts[1].find_first_not_of("0123456789"));
    return absl::SimpleAtoi(parts[0], major) && absl::SimpleAtoi(digits, minor);
  };
  unsigned want_major = 0, want_minor = 0, major = 0, minor = 0;
  if (!parse(wanted, &want_major, &want_minor) || !parse(release, &major, &minor)) {
    return Bad("minKernel is no version");
  }
  return major > want_major || (major == want_major && minor >= want_minor);
}

absl::StatusOr<bool> HasCapability(const std::string& name, uint64_t capabilities) {
  cap_value_t number = 0;
  if (!absl::StartsWith(name, "CAP_") || cap_from_name(name.c_str(), &number) != 0 || number > 63) {
    return Bad("caps: unknown capability");
  }
  return (capabilities >> number & 1) != 0;
}

// Whether a rule's includes (all of them) or excludes (any of them) hold.
struct Conditions {
  bool all = true;
  bool any = false;
  void Add(bool holds) {
    all = all && holds;
    any = any || holds;
  }
};

absl::StatusOr<Conditions> Evaluate(const Json& rule, const char* key, const SeccompFacts& facts) {
  Conditions result;
  const Json* conditions = Member(rule, key);
  if (conditions == nullptr) return result;
  BULKHEAD_RETURN_IF_ERROR(OnlyKeys(*conditions, key, {"caps", "arches", "minKernel"}));
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> caps, Words(*conditions, "caps", 64));
  for (const std::string& cap : caps) {
    BULKHEAD_ASSIGN_OR_RETURN(const bool has, HasCapability(cap, facts.capabilities));
    result.Add(has);
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> arches,
                            Words(*conditions, "arches", kMaxWords));
  if (!arches.empty()) {
    result.Add(std::find(arches.begin(), arches.end(), facts.architecture) != arches.end());
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string kernel, StringMember(*conditions, "minKernel"));
  if (!kernel.empty()) {
    BULKHEAD_ASSIGN_OR_RETURN(const bool enough, KernelIsAtLeast(kernel, facts.kernel));
    result.Add(enough);
  }
  return result;
}

absl::StatusOr<bool> Applies(const Json& rule, const SeccompFacts& facts) {
  BULKHEAD_ASSIGN_OR_RETURN(const Conditions includes, Evaluate(rule, "includes", facts));
  BULKHEAD_ASSIGN_OR_RETURN(const Conditions excludes, Evaluate(rule, "excludes", facts));
  return includes.all && !excludes.any;
}

absl::Status ParseArguments(const Json& rule, SeccompFilter::Rule::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* args, ArrayMember(rule, "args"));
  if (args->size() > kMaxArguments) return absl::ResourceExhaustedError("args: too many");
  auto list = out.initArgs(args->size());
  for (size_t i = 0; i < args->size(); ++i) {
    const Json& arg = (*args)[i];
    BULKHEAD_RETURN_IF_ERROR(OnlyKeys(arg, "args", {"index", "value", "valueTwo", "op"}));
    BULKHEAD_ASSIGN_OR_RETURN(const uint64_t index, Number(arg, "index", 5));
    BULKHEAD_ASSIGN_OR_RETURN(const uint64_t value, Number(arg, "value", UINT64_MAX));
    BULKHEAD_ASSIGN_OR_RETURN(const uint64_t two, Number(arg, "valueTwo", UINT64_MAX));
    BULKHEAD_ASSIGN_OR_RETURN(const std::string op, StringMember(arg, "op"));
    BULKHEAD_ASSIGN_OR_RETURN(const Compare compare, Lookup(kCompares, "op", op));
    list[i].setIndex(static_cast<uint8_t>(index));
    list[i].setValue(value);
    list[i].setValueTwo(two);
    list[i].setOp(compare);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> NamesOf(const Json& rule) {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> names, Words(rule, "names", kMaxNames));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string name, StringMember(rule, "name"));
  if (!name.empty()) names.push_back(name);
  if (names.empty()) return Bad("a rule names no call");
  return names;
}

absl::Status ParseRule(const Json& rule, SeccompFilter::Rule::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(rule));
  BULKHEAD_RETURN_IF_ERROR(SetWords(names, "names", out.initNames(names.size())));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, StringMember(rule, "action"));
  BULKHEAD_ASSIGN_OR_RETURN(const Action action, Lookup(kActions, "action", text));
  out.setAction(action);
  out.setHasErrno(Member(rule, "errnoRet") != nullptr);
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t error, Number(rule, "errnoRet", kMaxErrno));
  out.setErrno(static_cast<uint32_t>(error));
  return ParseArguments(rule, out);
}

absl::Status ParseRules(const Json& profile, const SeccompFacts& facts,
                        SeccompFilter::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* rules, ArrayMember(profile, "syscalls"));
  if (rules->size() > kMaxRules) return absl::ResourceExhaustedError("syscalls: too many");
  std::vector<const Json*> applying;
  for (const Json& rule : *rules) {
    BULKHEAD_RETURN_IF_ERROR(OnlyKeys(rule, "a rule",
                                      {"names", "name", "action", "errnoRet", "errno", "args",
                                       "comment", "includes", "excludes"}));
    BULKHEAD_ASSIGN_OR_RETURN(const bool applies, Applies(rule, facts));
    if (applies) applying.push_back(&rule);
  }
  auto list = out.initRules(applying.size());
  for (size_t i = 0; i < applying.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(ParseRule(*applying[i], list[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseSeccompProfile(absl::string_view document, const SeccompFacts& facts,
                                 SeccompFilter::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json profile, ParseStrictJson(document));
  // defaultErrno and errno: names beside the numbers that Podman's profiles have. listenerPath is
  // refused as a key: it would hand calls to whoever listens there.
  BULKHEAD_RETURN_IF_ERROR(OnlyKeys(profile, "it",
                                    {"defaultAction", "defaultErrnoRet", "defaultErrno",
                                     "architectures", "archMap", "flags", "syscalls"}));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, StringMember(profile, "defaultAction"));
  BULKHEAD_ASSIGN_OR_RETURN(const Action action, Lookup(kActions, "defaultAction", text));
  out.setDefaultAction(action);
  out.setHasDefaultErrno(Member(profile, "defaultErrnoRet") != nullptr);
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t error, Number(profile, "defaultErrnoRet", kMaxErrno));
  out.setDefaultErrno(static_cast<uint32_t>(error));
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> arches, Architectures(profile, facts));
  BULKHEAD_RETURN_IF_ERROR(SetWords(arches, "architectures", out.initArchitectures(arches.size())));
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> flags,
                            Words(profile, "flags", kMaxWords));
  BULKHEAD_RETURN_IF_ERROR(SetWords(flags, "flags", out.initFlags(flags.size())));
  return ParseRules(profile, facts, out);
}

}  // namespace bulkhead::worker
