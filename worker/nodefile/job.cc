#include "worker/nodefile/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "security/enforce/enter.h"

namespace bulkhead::nodefile {
namespace {

using base::UniqueFd;

constexpr size_t kMaxDirectories = 8;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

struct SpecFile {
  std::string name;
  unsigned directory = 0;
  UniqueFd fd;
};

absl::Status Unusable(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", why));
}

// What others than root can write is not the administrator's word.
absl::Status CheckOwner(const struct stat& st, absl::string_view path) {
  if (st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0) return absl::OkStatus();
  return Unusable(path, "may be changed by others than root");
}

// Operators that hand out profiles do so as users of their own; a file for everybody to write is
// nobody's word.
absl::Status CheckFile(int fd, absl::string_view path, bool of_root) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if (!S_ISREG(st.st_mode)) return Unusable(path, "is not a regular file");
  if (of_root) BULKHEAD_RETURN_IF_ERROR(CheckOwner(st, path));
  if ((st.st_mode & S_IWOTH) != 0) return Unusable(path, "may be changed by everybody");
  // A file of procfs or sysfs is empty, too.
  if (st.st_size == 0) return Unusable(path, "is empty");
  if (st.st_size > kMaxFileBytes) return Unusable(path, "is over 1 MiB");
  return absl::OkStatus();
}

// O_NONBLOCK: a pipe of that name must not stop us.
constexpr int kOpenFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

absl::StatusOr<UniqueFd> OpenProfile(schema::NodefileJob::Profile::Reader profile) {
  const std::string path = profile.getPath().cStr();
  const std::string root = profile.getRoot().cStr();
  if (!base::IsCleanAbsolutePath(path) || (!root.empty() && !base::IsCleanAbsolutePath(root))) {
    return absl::InvalidArgumentError("seccomp profile: not a clean absolute path");
  }
  absl::StatusOr<UniqueFd> file;
  if (root.empty() || root == "/") {
    file = base::OpenAt(AT_FDCWD, path, kOpenFlags, base::Resolve::kHost);
  } else {
    absl::string_view below = path;
    if (!absl::ConsumePrefix(&below, absl::StrCat(root, "/"))) {
      return Unusable(path, absl::StrCat("does not lie below ", root));
    }
    BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory, base::OpenAt(AT_FDCWD, root, O_PATH | O_DIRECTORY,
                                                               base::Resolve::kHost));
    // A link that would lead out of it leads to a place in it: mostly to nothing.
    file = base::OpenAt(directory.get(), std::string(below), kOpenFlags, base::Resolve::kInRoot);
  }
  if (!file.ok()) return file.status();
  BULKHEAD_RETURN_IF_ERROR(CheckFile(file->get(), path, false));
  return file;
}

bool IsSpecName(absl::string_view name) {
  return name[0] != '.' && (absl::EndsWith(name, ".json") || absl::EndsWith(name, ".yaml"));
}

absl::StatusOr<std::vector<std::string>> SpecNames(UniqueFd directory) {
  std::unique_ptr<DIR, CloseDir> dir(fdopendir(directory.get()));
  if (dir == nullptr) return base::ErrnoStatus("list CDI specs");
  [[maybe_unused]] const int owned_by_dir = directory.Release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr && errno != 0) return base::ErrnoStatus("list CDI specs");
    if (entry == nullptr) break;
    if (IsSpecName(entry->d_name)) names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A spec that cannot be used costs its own devices alone: they are not found.
absl::Status OpenSpecsIn(const std::string& path, unsigned number, std::vector<SpecFile>* files) {
  constexpr int kDirectory = O_RDONLY | O_DIRECTORY;
  absl::StatusOr<UniqueFd> directory =
      base::OpenAt(AT_FDCWD, path, kDirectory, base::Resolve::kHost);
  if (absl::IsNotFound(directory.status())) return absl::OkStatus();
  if (!directory.ok()) return directory.status();
  struct stat st;
  if (fstat(directory->get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  BULKHEAD_RETURN_IF_ERROR(CheckOwner(st, path));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd copy, base::Duplicate(directory->get()));
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> names, SpecNames(std::move(copy)));
  for (const std::string& name : names) {
    absl::StatusOr<UniqueFd> file =
        base::OpenAt(directory->get(), name, kOpenFlags, base::Resolve::kBeneathNoSymlinks);
    absl::Status usable = file.ok() ? CheckFile(file->get(), name, true) : file.status();
    if (usable.ok() && files->size() == kMaxFiles) {
      usable = absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxFiles, " specs"));
    }
    if (!usable.ok()) {
      base::Log(base::Severity::kWarning, "CDI spec ignored",
                {{"directory", path}, {"why", usable.message()}});
      continue;
    }
    files->push_back({.name = name, .directory = number, .fd = *std::move(file)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<UniqueFd>> OpenSpecs(capnp::List<capnp::Text>::Reader directories,
                                                schema::NodefileResult::Builder result) {
  if (directories.size() > kMaxDirectories) {
    return absl::InvalidArgumentError("CDI specs: too many directories");
  }
  std::vector<SpecFile> files;
  for (unsigned i = 0; i < directories.size(); ++i) {
    const std::string path = directories[i].cStr();
    if (!base::IsCleanAbsolutePath(path)) {
      return absl::InvalidArgumentError("CDI specs: not a clean absolute path");
    }
    BULKHEAD_RETURN_IF_ERROR(OpenSpecsIn(path, i, &files));
  }
  auto list = result.initFiles(files.size());
  std::vector<UniqueFd> fds;
  for (unsigned i = 0; i < files.size(); ++i) {
    list[i].setName(files[i].name);
    list[i].setDirectory(static_cast<uint16_t>(files[i].directory));
    fds.push_back(std::move(files[i].fd));
  }
  return fds;
}

absl::StatusOr<std::vector<UniqueFd>> Open(schema::NodefileJob::Reader job,
                                           schema::NodefileResult::Builder result) {
  switch (job.which()) {
    case schema::NodefileJob::SECCOMP_PROFILE: {
      std::vector<UniqueFd> one;
      BULKHEAD_ASSIGN_OR_RETURN(UniqueFd file, OpenProfile(job.getSeccompProfile()));
      one.push_back(std::move(file));
      return one;
    }
    case schema::NodefileJob::CDI_SPECS:
      return OpenSpecs(job.getCdiSpecs(), result);
  }
  return absl::InvalidArgumentError("nodefile: unknown job");
}

}  // namespace

absl::Status ConfineToReading() {
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd root, base::OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY, base::Resolve::kHost));
  return security::ConfineToDirectories({root.get()}, security::Access::kRead);
}

worker::JobResult RunNodefileJob(schema::NodefileJob::Reader job,
                                 schema::NodefileResult::Builder result) {
  absl::StatusOr<std::vector<UniqueFd>> fds = Open(job, result);
  ipc::WriteStatus(fds.status(), result.initStatus());
  worker::JobResult out;
  if (fds.ok()) out.fds = *std::move(fds);
  return out;
}

}  // namespace bulkhead::nodefile
