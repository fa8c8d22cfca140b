// A log as an attacker may leave it: the verifier must say something, never crash, and never call
// it verified.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/segment.h"
#include "audit/verify.h"
#include "base/fs.h"

namespace {

std::string directory_path;

void RemoveDirectory() {
  unlink((directory_path + "/" + bulkhead::audit::NameOfSegment(1)).c_str());
  rmdir(directory_path.c_str());
}

int Directory() {
  static const int fd = [] {
    char name[] = "/tmp/bhtest-audit-fuzz-XXXXXX";
    directory_path = mkdtemp(name);
    atexit(RemoveDirectory);
    return open(directory_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }();
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bulkhead;
  const base::UniqueFd file(openat(Directory(), audit::NameOfSegment(1).c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!base::WriteAll(file.get(), {reinterpret_cast<const char*>(data), size}).ok()) abort();
  const audit::VerifyOptions options = {
      .public_key = std::string(32, 'p'), .initial_key = std::string(32, 'k'), .checkpoints = {}};
  if (audit::Verify(Directory(), options).verdict == audit::Verdict::kVerified) abort();
  return 0;
}
