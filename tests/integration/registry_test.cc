// Real registries with TLS, passwords and tokens: who gets in, and where the credentials go.
#include <signal.h>

#include "absl/strings/escaping.h"
#include "tests/integration/registry_fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A key and a certificate for 127.0.0.1, its own authority.
void MakeCertificate(const std::string& stem, const char* kind) {
  Output made = RunProgram({"/usr/bin/openssl", "req", "-x509", "-newkey", kind, "-nodes", "-days",
                            "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", stem + ".key", "-out", stem + ".pem"});
  ASSERT_EQ(made.code, 0) << made.err;
}

class Tls : public RegistryTest {
 protected:
  void Prepare() override {
    MakeCertificate(TreeOf("/server"), "rsa:2048");
    WriteHosts("127.0.0.1_5001_", "ca = \"../server.pem\"\n");
  }
  void RunBasic() {
    std::string passwords = node().directory() + "/htpasswd";
    Output hash = RunProgram({"/usr/bin/python3", "-W", "ignore", "-c",
                              "import crypt, sys; print(crypt.crypt(sys.argv[1], "
                              "crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))",
                              kPassword});
    ASSERT_EQ(hash.code, 0) << hash.err;
    std::ofstream(passwords) << "user:" << hash.out;
    RunRegistry(5001, absl::StrCat("http: {addr: \"ADDR\", tls: {certificate: ",
                                   TreeOf("/server.pem"), ", key: ", TreeOf("/server.key"),
                                   "}}\nauth: {htpasswd: {realm: x, path: ", passwords, "}}\n"));
  }
};

TEST_F(Tls, PasswordsAndHowTheyAreGiven) {
  Push("some/app:1");
  RunBasic();
  std::string image = "127.0.0.1:5001/some/app:1";
  ExpectFails(image, absl::StatusCode::kUnauthenticated);
  ExpectFails(image, absl::StatusCode::kUnauthenticated, User("wrong-S3CRET"));
  ExpectPulls(image, User(kPassword));
  cri::AuthConfig coded;
  coded.set_auth(absl::Base64Escape(absl::StrCat("user:", kPassword)));
  coded.set_server_address("https://127.0.0.1:5001/v2/");
  ExpectPulls(image, coded);
  coded.set_server_address("https://elsewhere.example");
  ExpectFails(image, absl::StatusCode::kUnauthenticated, coded);

  std::string file = node().directory() + "/password";
  std::ofstream(file) << kPassword << "\n";
  Output pulled = RunProgram({"/bin/sh", "-c",
                              absl::StrCat(Program("bulkhead"), " image pull ", image,
                                           " --username user --password-stdin --config ",
                                           node().config_file(), " < ", file)});
  EXPECT_EQ(pulled.code, 0) << pulled.err;
  unlink(file.c_str());
  RemoveImage(image);
}

// V6: what was secret is nowhere: not in logs, files, arguments, environments, or the memory of
// those whom it does not concern.
TEST_F(Tls, V6SecretsAreNowhere) {
  Push("some/app:1");
  RunBasic();
  std::string image = "127.0.0.1:5001/some/app:1";
  ExpectPulls(image, User(kPassword));
  ExpectFails(image, absl::StatusCode::kUnauthenticated, User("other-S3CRET"));
  EXPECT_THAT(ReadWhole(node().directory() + "/log"), Not(HasSubstr("S3CRET")));
  std::error_code error;
  for (const std::string& top : {node().root_dir(), node().run_dir()}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top, error)) {
      if (!entry.is_regular_file(error)) continue;
      EXPECT_THAT(ReadWhole(entry.path()), Not(HasSubstr("S3CRET"))) << entry.path();
    }
  }
  for (const ProcessInfo& info : Descendants(node().up().pid())) {
    for (const char* what : {"cmdline", "environ"}) {
      std::string text = ReadWhole(absl::StrCat("/proc/", info.pid, "/", what));
      EXPECT_THAT(text, Not(HasSubstr("S3CRET"))) << info.name;
    }
    std::string limits = ReadWhole(absl::StrCat("/proc/", info.pid, "/limits"));
    if (info.name == "bh-broker" || info.name == "bh-frontend") {
      EXPECT_THAT(limits, ::testing::ContainsRegex("Max core file size +0 +0"));
    }
  }
}

TEST_F(Tls, UnknownAuthorityIsRefused) {
  Push("some/app:1");
  RunBasic();
  WriteHosts("127.0.0.1_5001_", "");
  node().up().Signal(SIGHUP);
  ASSERT_TRUE(Eventually(
      kPatience, [&] { return node().Log().find("registries loaded anew") != std::string::npos; }));
  ExpectFails("127.0.0.1:5001/some/app:1", absl::StatusCode::kUnavailable, User(kPassword));
  WriteHosts("127.0.0.1_5001_", "skip_verify = true\n");
  node().up().Signal(SIGHUP);
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return CountIn(node().directory() + "/log", "registries loaded anew") == 2;
  }));
  ExpectPulls("127.0.0.1:5001/some/app:1", User(kPassword));
}

class Tokens : public RegistryTest {
 protected:
  void Prepare() override { MakeCertificate(TreeOf("/token"), "rsa:2048"); }
  std::string More() override {
    return "registries.\"127.0.0.1:5002\" = {endpoints = [{host = \"127.0.0.1:5002\", "
           "plain_http = true}], token_hosts = [\"127.0.0.1:5003\"]}\n"
           "registries.\"127.0.0.1:5004\" = {endpoints = [{host = \"127.0.0.1:5004\", "
           "plain_http = true}]}\n";
  }
  void RunTokens() {
    Run({BULKHEAD_SOURCE_DIR "/tests/support/token_server.py", "--port", "5003", "--key",
         TreeOf("/token.key"), "--cert", TreeOf("/token.pem"), "--user", "user", "--password",
         kPassword, "--identity-token", "identity-S3CRET", "--log", TokenLog()},
        5003);
    for (int port : {5002, 5004}) {
      RunRegistry(port, absl::StrCat("http: {addr: \"ADDR\"}\nauth: {token: {realm: "
                                     "\"http://127.0.0.1:5003/token\", service: test, issuer: "
                                     "test-issuer, rootcertbundle: ",
                                     TreeOf("/token.pem"), "}}\n"));
    }
  }
  std::string TokenLog() { return node().directory() + "/tokens"; }
};

TEST_F(Tokens, Anonymous) {
  Push("public/app:1", {"--extra-layers", "2"});
  RunTokens();
  ExpectPulls("127.0.0.1:5002/public/app:1");
  EXPECT_GT(CountIn(TokenLog(), "GET nothing repository:public/app:pull"), 0);
}

TEST_F(Tokens, EveryKindOfCredentials) {
  Push("private/app:1");
  RunTokens();
  std::string image = "127.0.0.1:5002/private/app:1";
  ExpectFails(image, absl::StatusCode::kUnauthenticated);
  ExpectFails(image, absl::StatusCode::kUnauthenticated, User("wrong-S3CRET"));
  ExpectPulls(image, User(kPassword));
  EXPECT_GT(CountIn(TokenLog(), "GET user repository:private/app:pull"), 0);

  cri::AuthConfig identity;
  identity.set_identity_token("identity-S3CRET");
  ExpectPulls(image, identity);
  EXPECT_GT(CountIn(TokenLog(), "POST identity repository:private/app:pull"), 0);
  identity.set_identity_token("wrong-S3CRET");
  ExpectFails(image, absl::StatusCode::kUnauthenticated, identity);

  Output token =
      RunProgram({"/usr/bin/curl", "-s", "-u", absl::StrCat("user:", kPassword),
                  "http://127.0.0.1:5003/token?service=test&scope=repository:private/app:pull"});
  size_t begin = token.out.find(": \"") + 3;
  cri::AuthConfig registry;
  registry.set_registry_token(token.out.substr(begin, token.out.rfind('"') - begin));
  ExpectPulls(image, registry);
  registry.set_registry_token("wrong-S3CRET");
  ExpectFails(image, absl::StatusCode::kUnauthenticated, registry);
}

// V1: a token service that root has not listed gets no password, whatever the registry says.
TEST_F(Tokens, V1UnlistedTokenService) {
  Push("private/app:1");
  RunTokens();
  ExpectFails("127.0.0.1:5004/private/app:1", absl::StatusCode::kPermissionDenied, User(kPassword));
  EXPECT_EQ(ReadWhole(TokenLog()), "");
}

class Mirror : public RegistryTest {
 protected:
  void Prepare() override {
    WriteHosts("example.test", R"(
server = "http://127.0.0.1:5000"
[host."http://127.0.0.1:5010"]
  capabilities = ["pull"]
  [host."http://127.0.0.1:5010".header]
    authorization = "Bearer of-the-mirror"
)");
    WriteHosts("_default", "server = \"http://127.0.0.1:5000\"\n");
  }
};

TEST_F(Mirror, ContentOfTheMirrorNamesOfTheRegistry) {
  Push("some/app:1");
  RunProxy(5010, {});
  ExpectPulls("example.test/some/app:1");
  std::string log = ReadWhole(ProxyLog(5010));
  EXPECT_THAT(log, HasSubstr("/v2/some/app/blobs/"));
  EXPECT_THAT(log, HasSubstr("?ns=example.test Bearer of-the-mirror"));
  EXPECT_THAT(log, Not(HasSubstr("/manifests/1")));
  ExpectPulls("anything.test/some/app:1");
}

TEST_F(Mirror, V1PasswordsGoToTheRegistryAlone) {
  Push("some/app:1");
  RunProxy(5010, {});
  ExpectPulls("example.test/some/app:1", User(kPassword));
  std::string basic = absl::Base64Escape(absl::StrCat("user:", kPassword));
  EXPECT_THAT(ReadWhole(ProxyLog(5010)), Not(HasSubstr(basic)));
}

TEST_F(Mirror, DeadMirror) {
  Push("some/app:1");
  ExpectPulls("example.test/some/app:1");
}

class HttpProxy : public RegistryTest {
 protected:
  void Prepare() override {
    WriteHosts("registry.test_80_", "server = \"http://registry.test:80\"\n");
    WriteHosts("direct.test", "server = \"http://direct.test\"\n");
    setenv("HTTP_PROXY", "http://127.0.0.1:5011", 1);
    setenv("NO_PROXY", "direct.test", 1);
  }
  void TearDown() override {
    unsetenv("HTTP_PROXY");
    unsetenv("NO_PROXY");
    RegistryTest::TearDown();
  }
};

TEST_F(HttpProxy, OfTheEnvironment) {
  Push("some/app:1");
  RunProxy(5011, {"--forward"});
  ExpectPulls("registry.test:80/some/app:1");
  EXPECT_THAT(ReadWhole(ProxyLog(5011)), HasSubstr("http://registry.test/v2/some/app/"));
  ExpectFails("direct.test/some/app:1", absl::StatusCode::kUnavailable);
  EXPECT_THAT(ReadWhole(ProxyLog(5011)), Not(HasSubstr("direct.test")));
}

}  // namespace
}  // namespace bulkhead::test
