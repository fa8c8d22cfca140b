#include <capnp/message.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "tools/client/admin.h"
#include "tools/client/cri.h"
#include "tools/client/pull_progress.h"
#include "tools/commands/commands.h"
#include "validate/reference.h"

namespace bulkhead::tools {
namespace {

constexpr absl::Duration kPullPatience = absl::Hours(3);
constexpr absl::Duration kLookAgain = absl::Milliseconds(200);
constexpr size_t kMaxPasswordBytes = 32 << 10;

// What stands on standard input, without the newline at its end.
absl::Status ReadPassword(std::string* password) {
  absl::StatusOr<std::string> text = base::ReadAll(STDIN_FILENO, kMaxPasswordBytes);
  if (!text.ok()) return base::Annotate(text.status(), "password");
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  *password = *std::move(text);
  return absl::OkStatus();
}

int Columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// Shows one pull on standard error: bars that are drawn over again on a terminal, else a line when
// it has changed.
class ProgressView {
 public:
  explicit ProgressView(std::string reference) : reference_(std::move(reference)) {}

  void Show(const std::vector<AdminPull>& pulls) {
    auto found = std::find_if(pulls.begin(), pulls.end(), [this](const AdminPull& pull) {
      return pull.reference == reference_;
    });
    if (found == pulls.end()) return;
    std::string summary = PullSummary(*found);
    if (!terminal_) {
      if (summary != shown_) fprintf(stderr, "%s\n", summary.c_str());
      shown_ = summary;
      return;
    }
    std::string text = absl::StrCat(summary, "\n", PullBars(*found, Columns()));
    if (lines_ > 0) fprintf(stderr, "\x1b[%zuA", lines_);
    fprintf(stderr, "\x1b[J%s", text.c_str());
    lines_ = std::count(text.begin(), text.end(), '\n');
  }

 private:
  std::string reference_;
  std::string shown_;
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  size_t lines_ = 0;
};

absl::StatusOr<std::string> Normalised(const std::string& name) {
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  BULKHEAD_RETURN_IF_ERROR(validate::ParseReference("image", name, reference));
  if (reference.getDigest().getBytes().size() != 0) reference.setTag("");
  return validate::FormatReference(reference.asReader());
}

// Looks how far the pull is until it has ended.
void Watch(const Settings& settings, const std::string& reference, const std::atomic<bool>& ended) {
  ProgressView view(reference);
  while (!ended) {
    absl::StatusOr<std::vector<AdminPull>> pulls = AdminPulls(AdminSocket(settings));
    if (pulls.ok()) view.Show(*pulls);
    absl::SleepFor(kLookAgain);
  }
}

}  // namespace

int RunImagePull(const Settings& settings, const std::string& name, const PullOptions& options) {
  absl::StatusOr<std::string> reference = Normalised(name);
  if (!reference.ok()) return Fail(reference.status());
  cri::PullImageRequest request;
  request.mutable_image()->set_image(name);
  if (!options.username.empty()) request.mutable_auth()->set_username(options.username);
  if (options.password_stdin) {
    absl::Status read = ReadPassword(request.mutable_auth()->mutable_password());
    if (!read.ok()) return Fail(read);
  }
  CriClient client(CriSocket(settings));
  absl::StatusOr<cri::PullImageResponse> pulled;
  std::atomic<bool> ended = false;
  std::thread call([&] {
    pulled = client.Call(&CriClient::Image::PullImage, request, kPullPatience);
    ended = true;
  });
  if (options.progress) Watch(settings, *reference, ended);
  call.join();
  if (!pulled.ok()) return Fail(pulled.status());
  if (options.progress) fprintf(stderr, "%s: pulled\n", reference->c_str());
  puts(pulled->image_ref().c_str());
  return 0;
}

}  // namespace bulkhead::tools
