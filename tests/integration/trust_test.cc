// The image policy: who may be pulled, imported and run, and whose signature it takes.
#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ImageStub = tools::CriClient::Image;

constexpr char kRepository[] = "team/app";

class Trust : public NodeTest {
 protected:
  Trust() {
    char name[] = "/tmp/bhtrust.XXXXXX";
    dir_ = mkdtemp(name);
    for (const char* key : {"ours", "other"}) MakeKey(key, "EC");
    Policy("");
  }
  ~Trust() override { RunProgram({"/bin/rm", "-r", dir_}); }

  NodeOptions Options() override {
    NodeOptions options;
    options.registry = true;
    options.extra_config = absl::StrCat("policy_file = \"", dir_, "/policy.toml\"");
    return options;
  }
  std::string Key(const std::string& name) { return absl::StrCat(dir_, "/", name, ".pem"); }
  void MakeKey(const std::string& name, const std::string& kind) {
    std::vector<std::string> make = {"/usr/bin/openssl", "genpkey", "-algorithm", kind, "-out",
                                     Key(name)};
    if (kind == "EC") make.insert(make.end(), {"-pkeyopt", "ec_paramgen_curve:P-256"});
    ASSERT_EQ(RunProgram(make).code, 0);
    Output made = RunProgram(
        {"/usr/bin/openssl", "pkey", "-in", Key(name), "-pubout", "-out", Key(name + ".pub")});
    ASSERT_EQ(made.code, 0) << made.err;
    chmod(Key(name + ".pub").c_str(), 0644);
  }
  void Policy(const std::string& rules) {
    std::ofstream(dir_ + "/policy.toml") << rules;
    chmod((dir_ + "/policy.toml").c_str(), 0644);
  }
  std::string SignedBy(const std::string& key, const std::string& match,
                       const std::string& more = "") {
    return absl::StrCat("[[images.rules]]\nmatch = \"", match,
                        "\"\naction = \"signed\"\nkeys = [\"", Key(key + ".pub"), "\"]\n", more);
  }
  void Restart() {
    ASSERT_THAT(node().Down().status(), IsOk());
    ASSERT_THAT(node().Up(), IsOk());
  }
  // Pushes an image and gives its digest; each tag's image is another one.
  std::string Push(const std::string& tag) {
    Output pushed = node().Push(absl::StrCat(kRepository, ":", tag), {"--env", "TAG=" + tag});
    EXPECT_EQ(pushed.code, 0) << pushed.err;
    return std::string(absl::StripSuffix(pushed.out, "\n"));
  }
  void Sign(const std::string& digest, const std::string& key,
            std::vector<std::string> options = {}) {
    std::vector<std::string> words = {BULKHEAD_SOURCE_DIR "/tests/support/sign_image.py",
                                      "--push",
                                      absl::StrCat("http://", kRegistry),
                                      "--repository",
                                      kRepository,
                                      "--digest",
                                      digest,
                                      "--key",
                                      Key(key)};
    words.insert(words.end(), options.begin(), options.end());
    Output made = RunProgram(words);
    ASSERT_EQ(made.code, 0) << made.err;
  }
  std::string Name(const std::string& tag) {
    return absl::StrCat(kRegistry, "/", kRepository, ":", tag);
  }
  void ExpectRefused(const absl::Status& status, const std::string& why) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_THAT(status.message(), HasSubstr("SignatureValidationFailed"));
    EXPECT_THAT(status.message(), HasSubstr(why));
  }
  absl::Status RunImage(const std::string& image, const std::string& asked = "") {
    auto pod = RunPod(PodRequest("pod"));
    if (!pod.ok()) return pod.status();
    auto request = ContainerRequest(*pod, "main", {"/bin/true"});
    request.mutable_config()->mutable_image()->set_image(image);
    request.mutable_config()->mutable_image()->set_user_specified_image(asked);
    absl::Status created = Create(request).status();
    RemoveAll();
    return created;
  }
  size_t Images() {
    auto list = cri().Call(&ImageStub::ListImages, cri::ListImagesRequest(), kPatience);
    return list.ok() ? list->images_size() : 0;
  }
  void RemoveImage(const std::string& name) {
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    EXPECT_THAT(cri().Call(&ImageStub::RemoveImage, request, kPatience).status(), IsOk());
  }

  std::string dir_;
};

TEST_F(Trust, PullNeedsAGoodSignature) {
  Policy(SignedBy("ours", absl::StrCat(kRegistry, "/**")));
  Restart();
  std::string good = Push("good"), none = Push("none"), other = Push("other"), name = Push("name"),
              about = Push("about"), spoilt = Push("spoilt");
  Sign(good, "ours");
  Sign(other, "other");
  Sign(name, "ours", {"--identity", absl::StrCat(kRegistry, "/team/else")});
  Sign(about, "ours", {"--about", good});
  Sign(spoilt, "ours", {"--spoil"});
  size_t before = Images();
  ExpectRefused(Pull(Name("none")).status(), "there is no signature");
  ExpectRefused(Pull(Name("other")).status(), "none of the policy's keys");
  ExpectRefused(Pull(Name("name")).status(), "team/else");
  ExpectRefused(Pull(Name("about")).status(), "another image");
  ExpectRefused(Pull(Name("spoilt")).status(), "none of the policy's keys");
  EXPECT_EQ(Images(), before) << "what was refused is no image";
  auto id = Pull(Name("good"));
  ASSERT_THAT(id, IsOk());
  EXPECT_THAT(Pull(absl::StrCat(kRegistry, "/", kRepository, "@", good)), IsOk()) << "by digest";
  EXPECT_THAT(RunImage(*id, Name("good")), IsOk());
  RemoveImage(*id);
}

TEST_F(Trust, EveryKindOfKey) {
  MakeKey("ed", "ED25519");
  MakeKey("rsa", "RSA");
  Policy(absl::StrCat("[[images.rules]]\nmatch = \"**\"\naction = \"signed\"\nkeys = [\"",
                      Key("ed.pub"), "\", \"", Key("rsa.pub"), "\"]\n"));
  Restart();
  for (const char* key : {"ed", "rsa"}) {
    Sign(Push(key), key);
    auto id = Pull(Name(key));
    EXPECT_THAT(id, IsOk()) << key;
    RemoveImage(Name(key));
  }
}

TEST_F(Trust, DeniedNamesAreNotEvenAskedFor) {
  Policy("[images]\ndefault = \"deny\"\n");
  Restart();
  node().StopRegistry();
  TakeBaseline();
  ExpectRefused(Pull(Name("x")).status(), "the default");
  Output imported = node().Import("localhost/denied:1");
  EXPECT_EQ(imported.code, 1);
  EXPECT_THAT(imported.err, HasSubstr("denied"));
  ExpectRefused(RunImage(kImage, kImage), "denied");
}

TEST_F(Trust, ChangedPolicyIsHeldAgainstWhatIsThere) {
  std::string digest = Push("1");
  auto id = Pull(Name("1"));
  ASSERT_THAT(id, IsOk());
  EXPECT_THAT(RunImage(*id), IsOk()) << "all is allowed";

  Policy(SignedBy("ours", absl::StrCat(kRegistry, "/**")));
  Restart();
  ExpectRefused(RunImage(*id, Name("1")), "there is no signature");
  Sign(digest, "ours");
  EXPECT_THAT(RunImage(*id, Name("1")), IsOk()) << "the registry has a signature by now";

  node().StopRegistry();
  Policy(absl::StrCat("# other words, same rules\n[images]\ndefault = \"deny\"\n",
                      SignedBy("ours", absl::StrCat(kRegistry, "/**"))));
  Restart();
  EXPECT_THAT(RunImage(*id), IsOk()) << "verified again, from what was kept";
  Policy(SignedBy("other", absl::StrCat(kRegistry, "/**")));
  Restart();
  EXPECT_FALSE(RunImage(*id).ok()) << "the key is no longer one of the policy's";
  Policy("[[images.rules]]\nmatch = \"**\"\naction = \"deny\"\n");
  Restart();
  ExpectRefused(RunImage(*id), "denied");
  RemoveImage(*id);
}

TEST_F(Trust, ImportNeedsASignatureInTheArchive) {
  Policy(SignedBy("ours", "localhost/signed/*"));
  Restart();
  Output plain = node().Import("localhost/signed/a:1");
  EXPECT_EQ(plain.code, 1);
  EXPECT_THAT(plain.err, HasSubstr("there is no signature"));
  std::string file = dir_ + "/image.tar";
  ASSERT_EQ(RunProgram({BULKHEAD_SOURCE_DIR "/tests/support/make_image.py", "--out", file, "--name",
                        "localhost/signed/a:1", "--env", "A=1"})
                .code,
            0);
  ASSERT_EQ(RunProgram({BULKHEAD_SOURCE_DIR "/tests/support/sign_image.py", "--archive", file,
                        "--key", Key("ours")})
                .code,
            0);
  Output renamed = node().Bulkhead({"image", "import", file, "--name", "localhost/signed/b:1"});
  EXPECT_EQ(renamed.code, 1);
  EXPECT_THAT(renamed.err, HasSubstr("is for the name localhost/signed/a"));
  Output imported = node().Bulkhead({"image", "import", file});
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(RunImage("localhost/signed/a:1"), IsOk());
  RemoveImage("localhost/signed/a:1");
}

}  // namespace
}  // namespace bulkhead::test
