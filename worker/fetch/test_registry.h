#pragma once

#include <sys/types.h>

#include <string>

namespace bulkhead::worker {

// A real registry (Debian's docker-registry) on a loopback port, with a store of its own that goes
// with it.
class TestRegistry {
 public:
  // Whether the program is installed.
  static bool IsInstalled();

  // kTls: with a certificate for 127.0.0.1 of its own making. kTlsClient: wants one too, the same.
  enum class Transport { kPlain, kTls, kTlsClient };
  explicit TestRegistry(Transport transport = Transport::kPlain);
  ~TestRegistry();
  TestRegistry(const TestRegistry&) = delete;

  std::string host() const;  // "127.0.0.1:port"
  std::string ca_file() const { return directory_ + "/cert.pem"; }
  std::string key_file() const { return directory_ + "/key.pem"; }
  // Pushes as a client does; both return the digest, "sha256:<hex>".
  std::string PushBlob(const std::string& repository, const std::string& bytes);
  std::string PushManifest(const std::string& repository, const std::string& tag,
                           const std::string& media_type, const std::string& bytes);

 private:
  void MakeCertificate();
  std::string Url(const std::string& path) const;
  void Start();
  void AwaitReady();

  Transport transport_;
  std::string directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace bulkhead::worker
