// A misbehaving program: enters the profile that it is told and tries one thing. Arguments: kind,
// attempt ("pause": nothing, until descriptor 3 closes), root_dir, run_dir. With kind "none" it
// enters nothing.
#include <unistd.h>

#include <cstring>

#include "security/enforce/enter.h"
#include "tests/security/attempts.h"

int main(int argc, char** argv) {
  using namespace bulkhead::security;
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
