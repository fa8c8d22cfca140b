#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {

using ImageStub = tools::CriClient::Image;

inline std::string ReadWhole(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A node with real registries, all of one store: the plain one at kRegistry that images are pushed
// to, and others beside it that want something or behave badly.
class RegistryTest : public NodeTest {
 protected:
  static constexpr char kPassword[] = "pass:w0rd-S3CRET";

  NodeOptions Options() override {
    NodeOptions options;
    options.registry = true;
    options.extra_config = absl::StrCat("pulls.registry_dirs = [\"", TreeOf("/"), "\"]\n", More());
    return options;
  }
  // More top-level lines of the configuration.
  virtual std::string More() { return ""; }

  void SetUp() override {
    std::filesystem::create_directories(TreeOf(""));
    Prepare();
    NodeTest::SetUp();
  }
  // Writes what `bulkhead up` reads at its start.
  virtual void Prepare() {}
  void TearDown() override {
    processes_.clear();
    NodeTest::TearDown();
    std::filesystem::remove_all(TreeOf(""));
  }

  // The hosts.toml tree; known before the node is.
  static std::string TreeOf(const std::string& name) {
    return absl::StrCat("/tmp/bhtest-certs-", getpid(), name);
  }
  static void WriteHosts(const std::string& directory, const std::string& text) {
    std::filesystem::create_directories(TreeOf("/" + directory));
    std::ofstream(TreeOf(absl::StrCat("/", directory, "/hosts.toml"))) << text;
  }

  // --- Processes beside the node ---
  void Run(std::vector<std::string> argv, int port) {
    absl::StatusOr<Process> process = Process::Start(argv, -1, -1);
    ASSERT_THAT(process, IsOk());
    processes_.push_back(*std::move(process));
    ASSERT_TRUE(Eventually(absl::Seconds(20), [port] { return CanConnect(port); })) << argv[0];
  }
  // docker-registry on the same store; more: the rest of its configuration.
  void RunRegistry(int port, const std::string& more) {
    std::string file = absl::StrCat(node().directory(), "/registry-", port, ".yml");
    std::string text = absl::StrReplaceAll(more, {{"ADDR", absl::StrCat("127.0.0.1:", port)}});
    std::ofstream(file) << "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                        << "storage: {filesystem: {rootdirectory: " << node().directory()
                        << "/registry}}\n"
                        << text;
    Run({"/usr/bin/docker-registry", "serve", file}, port);
  }
  // bad_proxy.py before the plain registry, with these modes.
  void RunProxy(int port, std::vector<std::string> modes) {
    std::vector<std::string> argv = {BULKHEAD_SOURCE_DIR "/tests/support/bad_proxy.py",
                                     "--port",
                                     absl::StrCat(port),
                                     "--to",
                                     kRegistry,
                                     "--log",
                                     ProxyLog(port)};
    argv.insert(argv.end(), modes.begin(), modes.end());
    Run(argv, port);
  }
  std::string ProxyLog(int port) { return absl::StrCat(node().directory(), "/proxy-", port); }
  // How often a log has this.
  int CountIn(const std::string& file, const std::string& what) {
    std::string text = ReadWhole(file);
    int count = 0;
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++count;
    return count;
  }

  // --- Images ---
  // With a layer that the node does not have from its own image.
  void Push(const std::string& name, std::vector<std::string> options = {
                                         "--extra-layers", "1", "--layer-bytes", "1000000"}) {
    Output pushed = node().Push(name, std::move(options));
    ASSERT_EQ(pushed.code, 0) << pushed.err;
  }
  absl::StatusOr<std::string> PullWith(const std::string& image, const cri::AuthConfig& auth,
                                       absl::Duration patience = kPatience) {
    cri::PullImageRequest request;
    request.mutable_image()->set_image(image);
    *request.mutable_auth() = auth;
    auto response = cri().Call(&ImageStub::PullImage, request, patience);
    if (!response.ok()) return response.status();
    return response->image_ref();
  }
  static cri::AuthConfig User(const std::string& password) {
    cri::AuthConfig auth;
    auth.set_username("user");
    auth.set_password(password);
    return auth;
  }
  // Pulls, expects success, and removes the image again.
  void ExpectPulls(const std::string& image, const cri::AuthConfig& auth = {}) {
    absl::StatusOr<std::string> id = PullWith(image, auth);
    ASSERT_THAT(id, IsOk());
    RemoveImage(*id);
  }
  void ExpectFails(const std::string& image, absl::StatusCode code,
                   const cri::AuthConfig& auth = {}) {
    absl::StatusOr<std::string> id = PullWith(image, auth);
    EXPECT_EQ(id.status().code(), code) << image << ": " << id.status();
    EXPECT_EQ(id.status().message().find("S3CRET"), std::string::npos) << id.status();
  }
  void RemoveImage(const std::string& name) {
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    EXPECT_THAT(cri().Call(&ImageStub::RemoveImage, request, kPatience), IsOk());
  }

 private:
  std::vector<Process> processes_;
};

}  // namespace bulkhead::test
