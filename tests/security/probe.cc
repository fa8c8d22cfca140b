// A misbehaving program: enters the profile that it is told and tries one thing. Arguments: kind,
// attempt ("pause": nothing, until descriptor 3 closes), root_dir, run_dir. With kind "none" it
// enters nothing. Without arguments, as the spawner starts it, it misbehaves by the name it has:
// as inflate it takes memory without end, as network it leaves children behind.
#include <unistd.h>

#include <cstring>

#include "security/enforce/enter.h"
#include "tests/security/attempts.h"

namespace {

[[noreturn]] void TakeMemory() {
  for (;;) {
    constexpr size_t kChunk = 8 << 20;
    volatile char* chunk = new char[kChunk];
    for (size_t i = 0; i < kChunk; i += 4096) chunk[i] = 1;
  }
}

[[noreturn]] void LeaveChildren() {
  for (int i = 0; i < 20; ++i) {
    if (fork() != 0) continue;
    setsid();
    for (;;) pause();
  }
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bulkhead::security;
  if (argc == 1 && strstr(argv[0], "inflate") != nullptr) TakeMemory();
  if (argc == 1 && strstr(argv[0], "network") != nullptr) LeaveChildren();
  if (argc != 5) return kBadUse;
  const char* kind = argv[1];
  const char* name = argv[2];
  if (strcmp(kind, "none") != 0) {
    const Profile* profile = FindProfile(absl::string_view(kind));
    if (profile == nullptr) return kBadUse;
    EnterOrDie(*profile, {argv[3], argv[4]});
  }
  if (strcmp(name, "pause") == 0) {
    char byte;
    return read(3, &byte, 1) == 0 ? kSucceeded : kBadUse;
  }
  for (const Attempt& attempt : Attempts()) {
    if (strcmp(attempt.name, name) == 0) _exit(IsRefusal(attempt.run()) ? kRefused : kSucceeded);
  }
  return kBadUse;
}
