#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "audit/keys.h"
#include "audit/verify.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "security/profile.h"
#include "tools/audit_text.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxCheckpoints = 1 << 20;

struct AuditFiles {
  std::string directory, public_key, initial_key, checkpoints;
};

// What is read from here on was written by others: not as root.
absl::Status BecomeAuditor() {
  if (geteuid() != 0) return absl::OkStatus();
  if (setgroups(0, nullptr) != 0 || setgid(security::kAuditorUid) != 0 ||
      setuid(security::kAuditorUid) != 0) {
    return base::ErrnoStatus("give up root");
  }
  return absl::OkStatus();
}

absl::StatusOr<base::UniqueFd> OpenDirectory(const std::string& path) {
  return base::OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, base::Resolve::kHost);
}

// A file named by the caller, else the one beside the log.
absl::StatusOr<std::string> ReadKey(int directory, const std::string& file, const char* beside) {
  if (file.empty()) return audit::ReadHexFile(directory, beside, audit::kKeyBytes);
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(file, 256));
  std::string key = base::FromHex(absl::StripAsciiWhitespace(text));
  if (key.size() != audit::kKeyBytes) return absl::DataLossError(absl::StrCat(file, ": no key"));
  return key;
}

absl::StatusOr<audit::VerifyOptions> ReadOptions(int directory, const AuditFiles& files) {
  audit::VerifyOptions options;
  BULKHEAD_ASSIGN_OR_RETURN(options.public_key,
                            ReadKey(directory, files.public_key, audit::kPublicKeyFile));
  absl::StatusOr<std::string> initial =
      ReadKey(directory, files.initial_key, audit::kInitialKeyFile);
  if (initial.ok()) {
    options.initial_key = *std::move(initial);
  } else if (!files.initial_key.empty()) {
    return initial.status();
  }
  if (!files.checkpoints.empty()) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string text,
                              base::ReadFile(files.checkpoints, kMaxCheckpoints));
    options.checkpoints = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  }
  return options;
}

const char* Name(audit::Verdict verdict) {
  switch (verdict) {
    case audit::Verdict::kVerified:
      return "verified";
    case audit::Verdict::kTampered:
      return "tampered with";
    case audit::Verdict::kIncomplete:
      return "incomplete";
    case audit::Verdict::kCannotVerify:
      return "cannot verify";
  }
  return "";
}

int PrintReport(const audit::Report& report) {
  printf("%s", Name(report.verdict));
  if (!report.finding.empty()) printf(": %s", report.finding.c_str());
  if (report.bad_seq != 0) printf(" at entry %lu", report.bad_seq);
  printf("\n%lu records, %lu seals, last entry %lu, sealed up to %lu\n", report.records,
         report.seals, report.last_seq, report.last_sealed_seq);
  return static_cast<int>(report.verdict);
}

int VerifyLog(int directory, const audit::VerifyOptions& options) {
  return PrintReport(audit::Verify(directory, options));
}

int ShowLog(int directory, const audit::VerifyOptions& options, bool json) {
  const audit::Report report = audit::Verify(directory, options, [json](const audit::Entry& entry) {
    if (entry.header.kind == audit::EntryKind::kRecord) puts(RecordText(entry, json).c_str());
  });
  // A log whose writer is at work is not closed; that is no reason not to show it.
  if (report.verdict != audit::Verdict::kTampered) return 0;
  fprintf(stderr, "bulkhead: audit: tampered with at entry %lu (%s); nothing behind it is shown\n",
          report.bad_seq, report.finding.c_str());
  return static_cast<int>(report.verdict);
}

int TakeKey(int directory) {
  absl::StatusOr<std::string> key =
      audit::ReadHexFile(directory, audit::kInitialKeyFile, audit::kKeyBytes);
  if (absl::IsNotFound(key.status())) {
    return Fail(absl::NotFoundError("audit: the initial key has been taken already"));
  }
  if (!key.ok()) return Fail(key.status());
  puts(base::ToHex(*key).c_str());
  fflush(stdout);
  if (unlinkat(directory, audit::kInitialKeyFile, 0) != 0) {
    return Fail(base::ErrnoStatus("delete the initial key"));
  }
  return 0;
}

}  // namespace

int RunAudit(Words words) {
  std::string config;
  AuditFiles files;
  bool json = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &config, nullptr},
      {"dir", "DIR", "the log, where it is not <root_dir>/audit", &files.directory, nullptr},
      {"public-key", "FILE", "the log's public key, kept elsewhere", &files.public_key, nullptr},
      {"key", "FILE", "the initial key, kept elsewhere", &files.initial_key, nullptr},
      {"checkpoints", "FILE", "checkpoints kept elsewhere, a line each", &files.checkpoints,
       nullptr},
      {"json", nullptr, "show: one JSON object a line", nullptr, &json},
  };
  const Usage usage = {
      "audit verify | show | take-key",
      "verify: exit code 0 verified, 1 tampered with, 2 incomplete (its writer is\n"
      "at work or died), 3 cannot verify. show prints the records. take-key prints\n"
      "the initial key, which the verifier needs, and deletes it on this node.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  const std::string verb = parsed.words.size() == 1 ? parsed.words[0] : "";
  if (files.directory.empty()) {
    absl::StatusOr<Settings> settings = LoadSettings(config);
    if (!settings.ok()) return Fail(settings.status());
    files.directory = settings->root_dir + "/audit";
  }
  absl::StatusOr<base::UniqueFd> directory = OpenDirectory(files.directory);
  if (!directory.ok()) return Fail(directory.status());
  // The caller's own files first; what is read after that was written by others.
  absl::StatusOr<audit::VerifyOptions> keys = ReadOptions(directory->get(), files);
  if (absl::Status dropped = BecomeAuditor(); !dropped.ok()) return Fail(dropped);
  if (verb == "take-key") return TakeKey(directory->get());
  if (verb == "verify" || verb == "show") {
    if (!keys.ok()) {
      Fail(keys.status());
      return static_cast<int>(audit::Verdict::kCannotVerify);
    }
    return verb == "verify" ? VerifyLog(directory->get(), *keys)
                            : ShowLog(directory->get(), *keys, json);
  }
  return FailUsage(usage, absl::InvalidArgumentError("audit: not understood"));
}

}  // namespace bulkhead::tools
