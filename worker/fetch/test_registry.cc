#include "worker/fetch/test_registry.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/unique_fd.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

constexpr char kProgram[] = "/usr/bin/docker-registry";

std::string Digest(const std::string& bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return "sha256:" + absl::BytesToHexString(hash.Finish());
}

int FreePort() {
  base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

size_t KeepLocation(char* bytes, size_t size, size_t count, void* location) {
  absl::string_view line(bytes, size * count);
  if (absl::StartsWithIgnoreCase(line, "location:")) {
    *static_cast<std::string*>(location) = std::string(absl::StripAsciiWhitespace(line.substr(9)));
  }
  return size * count;
}

struct Answer {
  long status = 0;
  std::string location;
};

// Where the registry wants a client's certificate: the directory of the one that it knows.
std::string client_directory;

Answer Request(const char* method, const std::string& url, const std::string& type,
               const std::string& body) {
  Answer answer;
  CURL* easy = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, ("Content-Type: " + type).c_str());
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  std::string certificate = client_directory + "/cert.pem", key = client_directory + "/key.pem";
  if (!client_directory.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, certificate.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, key.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  if (std::string(method) != "GET") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Discard);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, KeepLocation);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &answer.location);
  curl_easy_perform(easy);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  return answer;
}

}  // namespace

bool TestRegistry::IsInstalled() { return access(kProgram, X_OK) == 0; }

TestRegistry::TestRegistry(Transport transport) : transport_(transport) {
  char path[] = "/tmp/bulkhead-registry-XXXXXX";
  EXPECT_NE(mkdtemp(path), nullptr);
  directory_ = path;
  port_ = FreePort();
  client_directory = transport_ == Transport::kTlsClient ? directory_ : "";
  std::string tls;
  if (transport_ != Transport::kPlain) {
    MakeCertificate();
    std::string clients =
        transport_ == Transport::kTlsClient ? absl::StrCat(", clientcas: [", ca_file(), "]") : "";
    tls = absl::StrCat(", tls: {certificate: ", ca_file(), ", key: ", key_file(), clients, "}");
  }
  std::ofstream(directory_ + "/config.yml")
      << "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " << directory_
      << "/store}}\nhttp: {addr: \"" << host() << "\"" << tls << "}\n";
  Start();
  AwaitReady();
}

TestRegistry::~TestRegistry() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  std::filesystem::remove_all(directory_);
}

std::string TestRegistry::host() const { return absl::StrCat("127.0.0.1:", port_); }

std::string TestRegistry::Url(const std::string& path) const {
  return absl::StrCat(transport_ == Transport::kPlain ? "http://" : "https://", host(), path);
}

void TestRegistry::MakeCertificate() {
  std::string command = absl::StrCat(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
      "-subj /CN=x -addext subjectAltName=IP:127.0.0.1 -keyout ",
      directory_, "/key.pem -out ", ca_file(), " 2>/dev/null");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

void TestRegistry::Start() {
  std::string config = directory_ + "/config.yml";
  pid_ = fork();
  ASSERT_GE(pid_, 0);
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(null, 1);
  dup2(null, 2);
  execl(kProgram, kProgram, "serve", config.c_str(), nullptr);
  _exit(127);
}

void TestRegistry::AwaitReady() {
  for (int i = 0; i < 300; ++i) {
    if (Request("GET", Url("/v2/"), "text/plain", "").status == 200) {
      return;
    }
    absl::SleepFor(absl::Milliseconds(100));
  }
  ADD_FAILURE() << "docker-registry does not answer";
}

std::string TestRegistry::PushBlob(const std::string& repository, const std::string& bytes) {
  std::string digest = Digest(bytes);
  Answer upload = Request("POST", Url(absl::StrCat("/v2/", repository, "/blobs/uploads/")),
                          "application/octet-stream", "");
  EXPECT_EQ(upload.status, 202);
  Answer done = Request("PUT", absl::StrCat(upload.location, "&digest=", digest),
                        "application/octet-stream", bytes);
  EXPECT_EQ(done.status, 201);
  return digest;
}

std::string TestRegistry::PushManifest(const std::string& repository, const std::string& tag,
                                       const std::string& media_type, const std::string& bytes) {
  Answer done =
      Request("PUT", Url(absl::StrCat("/v2/", repository, "/manifests/", tag)), media_type, bytes);
  EXPECT_EQ(done.status, 201);
  return Digest(bytes);
}

}  // namespace bulkhead::worker
