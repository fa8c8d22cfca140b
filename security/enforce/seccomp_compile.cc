#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "security/enforce/seccomp.h"

namespace bulkhead::security {
namespace {

struct ReleaseFilter {
  void operator()(scmp_filter_ctx filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, ReleaseFilter>;

#ifdef BULKHEAD_SANITIZED
constexpr uint32_t kDefaultAction = SCMP_ACT_LOG;
#else
constexpr uint32_t kDefaultAction = SCMP_ACT_KILL_PROCESS;
#endif

absl::Status LibraryError(absl::string_view what, int result) {
  return base::ErrnoStatus(absl::StrCat("libseccomp: ", what), -result);
}

bool IsPlain(const Syscall& row) { return row.args.empty(); }
bool Allows(const Syscall& row) { return row.error == 0; }

absl::Status AddRow(scmp_filter_ctx filter, const Syscall& row) {
  scmp_arg_cmp args[6] = {};
  unsigned count = 0;
  for (const ArgRule& rule : row.args) {
    args[count++] = {rule.index, SCMP_CMP_MASKED_EQ, rule.mask, rule.value};
  }
  const uint32_t action = Allows(row) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(row.error);
  const int result = seccomp_rule_add_array(filter, action, row.number, count, args);
  // EEXIST: two sets name the same row.
  if (result == 0 || result == -EEXIST) return absl::OkStatus();
  return LibraryError(absl::StrCat("add ", row.number), result);
}

absl::StatusOr<Filter> MakeFilter() {
  Filter filter(seccomp_init(kDefaultAction));
  if (filter == nullptr) return absl::InternalError("libseccomp: init");
  int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (result != 0) return LibraryError("other architectures", result);
  // A search tree: a program with 80 calls would else walk half of them each time.
  result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (result != 0) return LibraryError("optimise", result);
  return filter;
}

absl::StatusOr<std::vector<sock_filter>> Export(scmp_filter_ctx filter) {
  base::UniqueFd file(memfd_create("filter", MFD_CLOEXEC));
  if (!file) return base::ErrnoStatus("memfd_create");
  const int result = seccomp_export_bpf(filter, file.get());
  if (result != 0) return LibraryError("export", result);
  const off_t size = lseek(file.get(), 0, SEEK_END);
  if (size < 0) return base::ErrnoStatus("lseek");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes,
                            base::ReadAt(file.get(), 0, static_cast<size_t>(size)));
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

absl::Status CheckRows(const std::vector<Syscall>& rows) {
  for (size_t i = 1; i < rows.size(); ++i) {
    const Syscall &a = rows[i - 1], &b = rows[i];
    if (a.number == b.number && IsPlain(a) != IsPlain(b)) {
      return absl::InternalError(absl::StrCat("rows of call ", a.number, " contradict each other"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Syscall> EffectiveRows(const Profile& profile) {
  std::vector<Syscall> all(profile.syscalls.begin(), profile.syscalls.end());
  for (const SyscallSet* set : profile.syscall_sets) {
    all.insert(all.end(), set->rows.begin(), set->rows.end());
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Syscall& a, const Syscall& b) { return a.number < b.number; });
  std::vector<Syscall> rows;
  for (const Syscall& row : all) {
    const bool allowed_anyway = std::any_of(all.begin(), all.end(), [&row](const Syscall& other) {
      return other.number == row.number && IsPlain(other) && Allows(other);
    });
    // Of a call that is refused as a whole and allowed with some arguments, the latter is left.
    const bool allowed_in_part = std::any_of(all.begin(), all.end(), [&row](const Syscall& other) {
      return other.number == row.number && !IsPlain(other) && Allows(other);
    });
    if (IsPlain(row) && !Allows(row) && allowed_in_part) continue;
    const bool repeated = IsPlain(row) && !rows.empty() && rows.back().number == row.number &&
                          rows.back().error == row.error;
    if (repeated || (allowed_anyway && !(IsPlain(row) && Allows(row)))) continue;
    rows.push_back(row);
  }
  return rows;
}

absl::StatusOr<std::vector<sock_filter>> ComputeFilter(const Profile& profile) {
  const std::vector<Syscall> rows = EffectiveRows(profile);
  BULKHEAD_RETURN_IF_ERROR(CheckRows(rows));
  BULKHEAD_ASSIGN_OR_RETURN(Filter filter, MakeFilter());
  for (const Syscall& row : rows) BULKHEAD_RETURN_IF_ERROR(AddRow(filter.get(), row));
  return Export(filter.get());
}

}  // namespace bulkhead::security
