#include "tools/up/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace bulkhead::tools {
namespace {

constexpr uint32_t kItself = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// Not IN_MODIFY: a file that is being written is of no use yet.
constexpr uint32_t kFiles = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB;
constexpr uint32_t kEntries = IN_CREATE | IN_MOVED_TO;

std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

DirectoryWatch::DirectoryWatch(std::string path) : path_(std::move(path)) {
  inotify_.Reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_) {
    Arm();
    return;
  }
  base::Log(base::Severity::kWarning, "cannot watch the network configuration",
            {{"why", strerror(errno)}});
}

int DirectoryWatch::Watch(const std::string& path, uint32_t events) {
  return inotify_add_watch(inotify_.get(), path.c_str(), events);
}

void DirectoryWatch::Arm() {
  if (watch_ >= 0) inotify_rm_watch(inotify_.get(), watch_);
  watch_ = Watch(path_, kItself | kFiles);
  on_itself_ = watch_ >= 0;
  for (std::string above = Parent(path_); watch_ < 0; above = Parent(above)) {
    watch_ = Watch(above, kItself | kEntries);
    if (watch_ < 0 && above == "/") return;
  }
  if (on_itself_) return;
  // It may have come between the two tries.
  const int itself = Watch(path_, kItself | kFiles);
  if (itself < 0) return;
  inotify_rm_watch(inotify_.get(), watch_);
  watch_ = itself;
  on_itself_ = true;
}

bool DirectoryWatch::Changed() {
  bool changed = false, moved = false;
  alignas(inotify_event) char buffer[16 << 10];
  ssize_t got;
  while ((got = read(inotify_.get(), buffer, sizeof(buffer))) > 0) {
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      const bool overflow = (event->mask & IN_Q_OVERFLOW) != 0;
      // Of a watch that was given up.
      if (event->wd != watch_ && !overflow) continue;
      changed |= on_itself_ || overflow;
      moved |= (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
    }
  }
  if (on_itself_ && !moved) return changed;
  Arm();
  return changed || on_itself_;
}

}  // namespace bulkhead::tools
