#pragma once

#include <string>

#include "base/unique_fd.h"

namespace bulkhead::tools {

// Notices changes of the files of one directory, also one that does not exist yet or is replaced by
// another. Best effort: without inotify fd() is -1 and nothing is noticed.
class DirectoryWatch {
 public:
  // path: absolute, clean.
  explicit DirectoryWatch(std::string path);

  // Readable when there is something for Changed to look at.
  int fd() const { return inotify_.get(); }
  // Takes what has come. True: something in the directory may have changed, or it came or went.
  bool Changed();

 private:
  void Arm();
  int Watch(const std::string& path, uint32_t events);

  std::string path_;
  base::UniqueFd inotify_;
  int watch_ = -1;
  bool on_itself_ = false;  // else on the nearest ancestor that exists
};

}  // namespace bulkhead::tools
