#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/status.h"
#include "tools/client/admin.h"
#include "tools/client/metrics_text.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

constexpr uid_t kNobody = 65534;
constexpr size_t kMaxRequestBytes = 16 << 10;
constexpr absl::Duration kRequestPatience = absl::Seconds(5);

absl::StatusOr<std::string> Collect(const Settings& settings) {
  const std::string socket = AdminSocket(settings);
  BULKHEAD_ASSIGN_OR_RETURN(const AdminCounts counts, AdminStatus(socket));
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<AdminPull> pulls, AdminPulls(socket));
  BULKHEAD_ASSIGN_OR_RETURN(const AdminNetworks networks, AdminNetworkStatus(socket));
  std::string text;
  BULKHEAD_RETURN_IF_ERROR(AdminMetrics(socket, [&](schema::Admin::MetricsResults::Reader reader) {
    text = MetricsText(counts, pulls.size(), networks, reader);
  }));
  return text;
}

// Before the first byte of a stranger's.
absl::Status BecomeNobody() {
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0) {
    return base::ErrnoStatus("become nobody");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::ErrnoStatus("no_new_privs");
  return absl::OkStatus();
}

// Whatever is asked, there is one answer: only the end of the request is looked for.
absl::Status SkipRequest(int connection) {
  const base::Deadline deadline = base::Deadline::After(kRequestPatience);
  std::string request;
  while (!absl::StrContains(request, "\r\n\r\n") && !absl::StrContains(request, "\n\n")) {
    pollfd entry = {connection, POLLIN, 0};
    if (poll(&entry, 1, deadline.PollTimeout()) <= 0) {
      return absl::DeadlineExceededError("no request came in time");
    }
    char buffer[4096];
    const ssize_t got = read(connection, buffer, sizeof(buffer));
    if (got <= 0) return absl::UnavailableError("the client is gone");
    request.append(buffer, got);
    if (request.size() > kMaxRequestBytes) return absl::InvalidArgumentError("too long a request");
  }
  return absl::OkStatus();
}

absl::Status AnswerOne(const std::string& text) {
  BULKHEAD_RETURN_IF_ERROR(BecomeNobody());
  BULKHEAD_RETURN_IF_ERROR(SkipRequest(STDIN_FILENO));
  const std::string head = absl::StrCat(
      "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      "Content-Length: ",
      text.size(), "\r\nConnection: close\r\n\r\n");
  return base::WriteAll(STDOUT_FILENO, head + text);
}

}  // namespace

int RunMetrics(Words words) {
  std::string file;
  bool http = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"http", nullptr, "as the answer to one HTTP request on standard input and output", nullptr,
       &http},
  };
  const Usage usage = {
      "metrics [--http] [--config FILE]",
      "Prints counts and times in Prometheus' text format. With --http it serves a\n"
      "socket unit that accepts connections; it becomes nobody before it reads.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (!parsed.words.empty()) {
    return FailUsage(usage, absl::InvalidArgumentError("metrics: takes no words"));
  }
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  absl::StatusOr<std::string> text = Collect(*settings);
  if (!text.ok()) return Fail(text.status());
  const absl::Status done = http ? AnswerOne(*text) : base::WriteAll(STDOUT_FILENO, *text);
  return done.ok() ? 0 : Fail(done);
}

}  // namespace bulkhead::tools
