#include <csignal>
#include <cstddef>

#include "absl/strings/match.h"
#include "frontend/cri/convert.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

struct Row {
  v1::Signal name;
  int number;
};

// Where two names share a number, the one that FromSignal gives comes first.
constexpr Row kSignals[] = {
    {v1::SIGNAL_RUNTIME_DEFAULT, 0},   {v1::SIGNAL_SIGABRT, SIGABRT},
    {v1::SIGNAL_SIGALRM, SIGALRM},     {v1::SIGNAL_SIGBUS, SIGBUS},
    {v1::SIGNAL_SIGCHLD, SIGCHLD},     {v1::SIGNAL_SIGCLD, SIGCHLD},
    {v1::SIGNAL_SIGCONT, SIGCONT},     {v1::SIGNAL_SIGFPE, SIGFPE},
    {v1::SIGNAL_SIGHUP, SIGHUP},       {v1::SIGNAL_SIGILL, SIGILL},
    {v1::SIGNAL_SIGINT, SIGINT},       {v1::SIGNAL_SIGIO, SIGIO},
    {v1::SIGNAL_SIGIOT, SIGABRT},      {v1::SIGNAL_SIGKILL, SIGKILL},
    {v1::SIGNAL_SIGPIPE, SIGPIPE},     {v1::SIGNAL_SIGPOLL, SIGIO},
    {v1::SIGNAL_SIGPROF, SIGPROF},     {v1::SIGNAL_SIGPWR, SIGPWR},
    {v1::SIGNAL_SIGQUIT, SIGQUIT},     {v1::SIGNAL_SIGSEGV, SIGSEGV},
    {v1::SIGNAL_SIGSTKFLT, SIGSTKFLT}, {v1::SIGNAL_SIGSTOP, SIGSTOP},
    {v1::SIGNAL_SIGSYS, SIGSYS},       {v1::SIGNAL_SIGTERM, SIGTERM},
    {v1::SIGNAL_SIGTRAP, SIGTRAP},     {v1::SIGNAL_SIGTSTP, SIGTSTP},
    {v1::SIGNAL_SIGTTIN, SIGTTIN},     {v1::SIGNAL_SIGTTOU, SIGTTOU},
    {v1::SIGNAL_SIGURG, SIGURG},       {v1::SIGNAL_SIGUSR1, SIGUSR1},
    {v1::SIGNAL_SIGUSR2, SIGUSR2},     {v1::SIGNAL_SIGVTALRM, SIGVTALRM},
    {v1::SIGNAL_SIGWINCH, SIGWINCH},   {v1::SIGNAL_SIGXCPU, SIGXCPU},
    {v1::SIGNAL_SIGXFSZ, SIGXFSZ},
};

// Real-time signals, counted as the C library does for programs: 34 to 64.
constexpr int kFirstRealTime = 34;
constexpr int kLastRealTime = 64;

}  // namespace

absl::Status ToSignal(absl::string_view field, v1::Signal in, int* out) {
  if (in >= v1::SIGNAL_SIGRTMIN && in <= v1::SIGNAL_SIGRTMAX) {
    *out = kFirstRealTime + (in - v1::SIGNAL_SIGRTMIN);
    return absl::OkStatus();
  }
  for (const Row& row : kSignals) {
    if (row.name == in) {
      *out = row.number;
      return absl::OkStatus();
    }
  }
  return validate::Refuse(field, "unknown");
}

v1::Signal FromSignal(int number) {
  if (number >= kFirstRealTime && number <= kLastRealTime) {
    return static_cast<v1::Signal>(v1::SIGNAL_SIGRTMIN + (number - kFirstRealTime));
  }
  for (const Row& row : kSignals) {
    if (row.number == number) return row.name;
  }
  return v1::SIGNAL_RUNTIME_DEFAULT;
}

}  // namespace bulkhead::frontend
