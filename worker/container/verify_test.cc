#include "worker/container/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace bulkhead::container {
namespace {

using testing::HasSubstr;

// The lines of /proc/<pid>/status that count, of a process that is as it was promised.
constexpr char kGood[] =
    "Name:\tsh\nState:\tS (sleeping)\nPid:\t42\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    "CapInh:\t0000000000000000\nCapPrm:\t0000000000000021\nCapEff:\t0000000000000021\n"
    "CapBnd:\t0000000000000021\nCapAmb:\t0000000000000000\n";
constexpr Promise kPromise = {.pid = 42, .seccomp = true, .no_new_privs = true, .bounding = 0x21};

absl::Status With(const char* line, const char* instead, bool started = true) {
  const std::string text = absl::StrReplaceAll(kGood, {{line, instead}});
  EXPECT_NE(text, kGood);
  return ComparePromise(kPromise, text, started);
}

TEST(Verify, AProcessThatIsAsPromised) {
  EXPECT_TRUE(ComparePromise(kPromise, kGood, true).ok());
  EXPECT_TRUE(ComparePromise(kPromise, kGood, false).ok());
}

// V24: a runtime that says that it has done what it has not.
TEST(V24, AnyMissingConfinementIsFound) {
  const std::pair<const char*, const char*> lies[] = {
      {"Seccomp:\t2", "Seccomp:\t0"},
      {"NoNewPrivs:\t1", "NoNewPrivs:\t0"},
      {"CapBnd:\t0000000000000021", "CapBnd:\t00000000000000a1"},
      {"CapPrm:\t0000000000000021", "CapPrm:\t0000000000200021"},
      {"CapEff:\t0000000000000021", "CapEff:\t000001ffffffffff"},
      {"CapInh:\t0000000000000000", "CapInh:\t0000000000000001"},
      {"CapAmb:\t0000000000000000", "CapAmb:\t0000000000000020"},
      {"CapBnd:\t0000000000000021\n", ""},
      {"CapEff:\t0000000000000021\n", ""},
      {"Seccomp:\t2\n", ""},
  };
  for (const auto& [line, instead] : lies) {
    const absl::Status status = With(line, instead);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << line << " -> " << instead;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the runtime did not apply"));
  }
}

TEST(Verify, AProgramHasSettledOnceItCatchesOrWaits) {
  EXPECT_TRUE(HasSettled("State:\tS (sleeping)\nSigCgt:\t0000000000000000\n"));
  EXPECT_TRUE(HasSettled("State:\tR (running)\nSigCgt:\t0000000000004000\n"));
  EXPECT_FALSE(HasSettled("State:\tR (running)\nSigCgt:\t0000000000000000\n"));
  EXPECT_FALSE(HasSettled("State:\tD (disk sleep)\nSigCgt:\t0000000000000000\n"));
  EXPECT_TRUE(HasSettled("State:\tZ (zombie)\n"));
  EXPECT_TRUE(HasSettled(""));
}

TEST(Verify, BeforeTheStartOnlyWhatIsSettledByThen) {
  EXPECT_TRUE(With("CapEff:\t0000000000000021", "CapEff:\t000001ffffffffff", false).ok());
  EXPECT_TRUE(With("Seccomp:\t2", "Seccomp:\t0", false).ok()) << "set last with no_new_privs";
  EXPECT_FALSE(With("CapBnd:\t0000000000000021", "CapBnd:\t000001ffffffffff", false).ok());
}

TEST(Verify, OfAProcessThatHasEndedNothingCanBeSaid) {
  EXPECT_TRUE(absl::IsNotFound(With("State:\tS (sleeping)", "State:\tZ (zombie)")));
  EXPECT_TRUE(absl::IsNotFound(ComparePromise(kPromise, "", true)));
}

}  // namespace
}  // namespace bulkhead::container
