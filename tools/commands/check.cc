#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/client/admin.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

// What nobody has to act on: it harms nothing, and the next removal takes it.
bool IsHarmless(const AdminFinding& finding) { return finding.kind == "leftover"; }

bool IsSound(const AdminCheckReport& report) {
  for (const AdminFinding& finding : report.findings) {
    if (!finding.repaired && !IsHarmless(finding)) return false;
  }
  return true;
}

void PrintJson(const AdminCheckReport& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const AdminFinding& finding : report.findings) {
    findings.push_back({{"kind", finding.kind},
                        {"object", finding.object},
                        {"problem", finding.problem},
                        {"repair", finding.repair},
                        {"repaired", finding.repaired}});
  }
  nlohmann::json out = {{"sound", IsSound(report)},   {"images", report.images},
                        {"blobs", report.blobs},      {"layers", report.layers},
                        {"bytes_read", report.bytes}, {"findings", std::move(findings)}};
  puts(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void PrintText(const AdminCheckReport& report) {
  for (const AdminFinding& finding : report.findings) {
    printf("%s %s: %s%s%s\n", finding.kind.c_str(), finding.object.c_str(), finding.problem.c_str(),
           finding.repair.empty() ? "" : ": ", finding.repair.c_str());
  }
  printf("%u images, %u documents, %u layers, %llu bytes read: %s\n", report.images, report.blobs,
         report.layers, static_cast<unsigned long long>(report.bytes),
         IsSound(report) ? "sound" : "damaged");
}

}  // namespace

int RunCheck(Words words) {
  std::string file;
  bool repair = false, as_json = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"repair", nullptr, "put damaged content aside and fetch it again", nullptr, &repair},
      {"json", nullptr, "for programs", nullptr, &as_json},
  };
  const Usage usage = {
      "check [--repair] [--json]",
      "Reads and hashes all images of a running bulkhead up. Exits with 1 where something is "
      "damaged and was not repaired.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (!parsed.words.empty()) {
    return FailUsage(usage, absl::InvalidArgumentError("check: takes no words"));
  }
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  absl::StatusOr<AdminCheckReport> report = AdminCheck(AdminSocket(*settings), repair);
  if (!report.ok()) return Fail(report.status());
  as_json ? PrintJson(*report) : PrintText(*report);
  return IsSound(*report) ? 0 : kExitFailure;
}

}  // namespace bulkhead::tools
