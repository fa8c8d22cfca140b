#include "tools/args.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bulkhead::tools {
namespace {

const Option* Find(const Usage& usage, absl::string_view name) {
  for (const Option& option : usage.options) {
    if (name == option.name) return &option;
  }
  return nullptr;
}

// Takes the option at *i, and the word behind it where that is its value.
absl::Status TakeOption(const Usage& usage, absl::Span<char* const> arguments, size_t* i) {
  absl::string_view word = absl::string_view(arguments[*i]).substr(2);
  size_t equals = word.find('=');
  absl::string_view name = word.substr(0, equals);
  const Option* option = Find(usage, name);
  if (option == nullptr) return absl::InvalidArgumentError(absl::StrCat("unknown option --", name));
  if (option->flag != nullptr) {
    if (equals != absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, " takes no value"));
    }
    *option->flag = true;
    return absl::OkStatus();
  }
  if (equals != absl::string_view::npos) {
    *option->text = std::string(word.substr(equals + 1));
    return absl::OkStatus();
  }
  if (*i + 1 == arguments.size()) {
    return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
  }
  *option->text = arguments[++*i];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Parsed> ParseArguments(const Usage& usage, absl::Span<char* const> arguments) {
  Parsed parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view word = arguments[i];
    if (word == "--") {
      parsed.behind.assign(arguments.begin() + i + 1, arguments.end());
      break;
    }
    if (word == "--help" || word == "-h") {
      parsed.help = true;
    } else if (absl::StartsWith(word, "--")) {
      if (absl::Status status = TakeOption(usage, arguments, &i); !status.ok()) return status;
    } else if (word.size() > 1 && word.front() == '-') {
      return absl::InvalidArgumentError(absl::StrCat("unknown option ", word));
    } else {
      parsed.words.emplace_back(word);
    }
  }
  return parsed;
}

std::string HelpText(const Usage& usage) {
  std::string text = absl::StrCat("usage: bulkhead ", usage.synopsis, "\n\n", usage.about, "\n");
  if (usage.options.empty()) return text;
  absl::StrAppend(&text, "\n");
  for (const Option& option : usage.options) {
    std::string left = absl::StrCat("--", option.name);
    if (option.value != nullptr) absl::StrAppend(&left, " ", option.value);
    absl::StrAppendFormat(&text, "  %-24s %s\n", left, option.help);
  }
  return text;
}

}  // namespace bulkhead::tools
