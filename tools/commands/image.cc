#include <capnp/message.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/fs.h"
#include "base/status.h"
#include "tools/client/admin.h"
#include "tools/client/cri.h"
#include "tools/commands/commands.h"
#include "validate/reference.h"

namespace bulkhead::tools {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(120);

int Import(const Settings& settings, const std::string& file, const std::string& name) {
  absl::StatusOr<base::UniqueFd> archive =
      base::OpenAt(AT_FDCWD, file, O_RDONLY, base::Resolve::kHost);
  if (!archive.ok()) return Fail(archive.status());
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  if (!name.empty()) {
    absl::Status status = validate::ParseReference("--name", name, reference);
    if (!status.ok()) return Fail(status);
  }
  schema::ImageReference::Reader reader = reference.asReader();
  absl::StatusOr<std::vector<std::string>> ids =
      AdminImport(AdminSocket(settings), *std::move(archive), name.empty() ? nullptr : &reader);
  if (!ids.ok()) return Fail(ids.status());
  for (const std::string& id : *ids) puts(id.c_str());
  return 0;
}

int List(const Settings& settings) {
  CriClient client(CriSocket(settings));
  absl::StatusOr<cri::ListImagesResponse> list =
      client.Call(&CriClient::Image::ListImages, cri::ListImagesRequest(), kPatience);
  if (!list.ok()) return Fail(list.status());
  printf("%-20s %14s  %s\n", "ID", "BYTES", "NAMES");
  for (const cri::Image& image : list->images()) {
    std::vector<std::string> names(image.repo_tags().begin(), image.repo_tags().end());
    if (names.empty()) names.assign(image.repo_digests().begin(), image.repo_digests().end());
    printf("%-20s %14llu  %s\n", image.id().substr(0, 19).c_str(),
           static_cast<unsigned long long>(image.size()), absl::StrJoin(names, " ").c_str());
  }
  return 0;
}

int Remove(const Settings& settings, const std::string& name) {
  CriClient client(CriSocket(settings));
  cri::RemoveImageRequest request;
  request.mutable_image()->set_image(name);
  absl::StatusOr<cri::RemoveImageResponse> removed =
      client.Call(&CriClient::Image::RemoveImage, request, kPatience);
  return removed.ok() ? 0 : Fail(removed.status());
}

// As the broker knows it: an id as it is, a name normalised.
absl::StatusOr<std::string> ImageName(const std::string& text) {
  if (validate::LooksLikeImageId(text)) return text;
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  BULKHEAD_RETURN_IF_ERROR(validate::ParseReference("image", text, reference));
  auto digest = reference.asReader().getDigest().getBytes().asChars();
  if (digest.size() == 0) return validate::FormatReference(reference);
  return validate::FormatDigestReference(reference, {digest.begin(), digest.size()});
}

// Under another name until it is complete, so that nobody takes a part for the whole.
int Export(const Settings& settings, const std::string& name, const std::string& file) {
  absl::StatusOr<std::string> image = ImageName(name);
  if (!image.ok()) return Fail(image.status());
  std::string partial = file + ".partial";
  base::UniqueFd out(
      open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) return Fail(base::ErrnoStatus(absl::StrCat("create ", partial)));
  absl::StatusOr<base::UniqueFd> passed = base::Duplicate(out.get());
  if (!passed.ok()) return Fail(passed.status());
  absl::StatusOr<uint64_t> bytes = AdminExport(AdminSocket(settings), *image, *std::move(passed));
  absl::Status status = bytes.status();
  if (status.ok() && fsync(out.get()) != 0) status = base::ErrnoStatus("sync the archive");
  if (status.ok() && rename(partial.c_str(), file.c_str()) != 0) {
    status = base::ErrnoStatus(absl::StrCat("rename ", partial));
  }
  if (status.ok()) return 0;
  unlink(partial.c_str());
  return Fail(status);
}

int PruneUnused(const Settings& settings, bool all) {
  absl::StatusOr<std::vector<std::string>> ids = AdminPrune(AdminSocket(settings), all);
  if (!ids.ok()) return Fail(ids.status());
  for (const std::string& id : *ids) puts(id.c_str());
  return 0;
}

}  // namespace

int RunImage(Words words) {
  std::string file, name;
  bool all = false;
  PullOptions pull;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"name", "REF", "import: the image's name, instead of those in the archive", &name, nullptr},
      {"progress", nullptr, "pull: show how far each layer is", nullptr, &pull.progress},
      {"username", "NAME", "pull: who asks the registry", &pull.username, nullptr},
      {"password-stdin", nullptr, "pull: read the password from standard input", nullptr,
       &pull.password_stdin},
      {"all", nullptr, "prune: also images that have tags", nullptr, &all},
  };
  const Usage usage = {
      "image import FILE [--name REF] | export REF FILE | list | pull REF [--progress] | rm REF | "
      "prune [--all]",
      "import takes an OCI layout or a docker archive as a tar file, export writes both in one. "
      "prune removes images that no container uses, but no pinned one, and what repairs put aside.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  std::string verb = parsed.words.empty() ? "" : parsed.words[0];
  size_t count = parsed.words.size();
  if (verb == "list" && count == 1) return List(*settings);
  if (verb == "import" && count == 2) return Import(*settings, parsed.words[1], name);
  if (verb == "pull" && count == 2) return RunImagePull(*settings, parsed.words[1], pull);
  if (verb == "rm" && count == 2) return Remove(*settings, parsed.words[1]);
  if (verb == "export" && count == 3) return Export(*settings, parsed.words[1], parsed.words[2]);
  if (verb == "prune" && count == 1) return PruneUnused(*settings, all);
  return FailUsage(usage, absl::InvalidArgumentError("image: not understood"));
}

}  // namespace bulkhead::tools
