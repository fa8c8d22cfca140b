#include "worker/parse/image_config.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

const std::string kRootfs = absl::StrCat(
    R"("rootfs":{"type":"layers","diff_ids":["sha256:)", std::string(64, '1'), R"(","sha256:)",
    std::string(64, '2'), R"("]})");

struct Config {
  capnp::MallocMessageBuilder message;
  absl::Status status;
  schema::ImageConfig::Reader get() { return message.getRoot<schema::ImageConfig>().asReader(); }
};

std::unique_ptr<Config> Read(const std::string& document, Platform wanted = {"amd64", ""}) {
  auto out = std::make_unique<Config>();
  auto builder = out->message.initRoot<schema::ImageConfig>();
  absl::StatusOr<Json> json = ParseStrictJson(document);
  EXPECT_TRUE(json.ok()) << json.status();
  if (json.ok()) out->status = ReadImageConfig(*json, wanted, builder);
  return out;
}

absl::StatusCode WithConfig(const std::string& config) {
  return Read(absl::StrCat("{\"config\":", config, ",", kRootfs, "}"))->status.code();
}

std::string Text(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

TEST(ImageConfig, EveryField) {
  auto config = Read(absl::StrCat(R"({"os":"linux","architecture":"amd64","variant":"",
    "created":"2024-01-01T00:00:00Z","history":[{"created_by":"x"}],
    "config":{"Env":["PATH=/bin","EMPTY=","A=b=c","novalue","=x"],"Entrypoint":["/bin/sh","-c"],
      "Cmd":["ls"],"WorkingDir":"/w","User":"1000:1000","StopSignal":"SIGTERM",
      "Volumes":{"/data":{},"/logs":{}},"Labels":{"k":"v","l":""},"ExposedPorts":{"80/tcp":{}}},)",
                                  kRootfs, "}"));
  ASSERT_TRUE(config->status.ok()) << config->status;
  auto got = config->get();
  ASSERT_EQ(got.getEnv().size(), 3u) << "what defines no variable is left out";
  EXPECT_EQ(std::string(got.getEnv()[0].getKey()), "PATH");
  EXPECT_EQ(Text(got.getEnv()[0].getValue()), "/bin");
  EXPECT_EQ(Text(got.getEnv()[1].getValue()), "");
  EXPECT_EQ(Text(got.getEnv()[2].getValue()), "b=c");
  ASSERT_EQ(got.getEntrypoint().size(), 2u);
  EXPECT_EQ(std::string(got.getEntrypoint()[1]), "-c");
  EXPECT_EQ(std::string(got.getCmd()[0]), "ls");
  EXPECT_EQ(std::string(got.getWorkingDir()), "/w");
  EXPECT_EQ(std::string(got.getUser()), "1000:1000");
  EXPECT_EQ(std::string(got.getStopSignal()), "SIGTERM");
  EXPECT_EQ(got.getVolumes().size(), 2u);
  ASSERT_EQ(got.getLabels().size(), 2u);
  EXPECT_EQ(std::string(got.getLabels()[0].getValue()), "v");
  ASSERT_EQ(got.getDiffIds().size(), 2u);
  EXPECT_EQ(Text(got.getDiffIds()[1].getBytes()), std::string(32, '\x22'));
  EXPECT_EQ(std::string(got.getArchitecture()), "amd64");
}

TEST(ImageConfig, NothingButLayers) {
  EXPECT_TRUE(Read("{" + kRootfs + "}")->status.ok());
  EXPECT_EQ(WithConfig("null"), absl::StatusCode::kOk);
  EXPECT_EQ(WithConfig(R"({"Env":null,"Cmd":null,"Labels":null,"Volumes":null})"),
            absl::StatusCode::kOk);
}

TEST(ImageConfig, WrongTypes) {
  for (const char* config :
       {"[]", "7", R"({"Env":"A=b"})", R"({"Env":[7]})", R"({"Env":{}})", R"({"Cmd":"ls"})",
        R"({"Entrypoint":[null]})", R"({"User":7})", R"({"WorkingDir":[]})",
        R"({"Labels":{"a":7}})", R"({"Labels":[]})", R"({"Volumes":["/x"]})",
        R"({"StopSignal":15})"}) {
    EXPECT_EQ(WithConfig(config), absl::StatusCode::kInvalidArgument) << config;
  }
}

TEST(ImageConfig, DiffIds) {
  for (const char* document :
       {"{}", "[]", R"({"rootfs":{"diff_ids":[]}})", R"({"rootfs":{"type":"other"}})",
        R"({"rootfs":{"type":"layers","diff_ids":["sha256:../../x"]}})",
        R"({"rootfs":{"type":"layers","diff_ids":[7]}})",
        R"({"rootfs":{"type":"layers","diff_ids":"x"}})", R"({"rootfs":7})"}) {
    EXPECT_EQ(Read(document)->status.code(), absl::StatusCode::kInvalidArgument) << document;
  }
}

TEST(ImageConfig, Limits) {
  std::string big(200 << 10, 'x');
  EXPECT_EQ(WithConfig(absl::StrCat(R"({"User":")", big, "\"}")),
            absl::StatusCode::kResourceExhausted);
  std::string many = R"({"Cmd":["x")";
  for (size_t i = 0; i < kMaxConfigList; ++i) many += R"(,"x")";
  EXPECT_EQ(WithConfig(many + "]}"), absl::StatusCode::kResourceExhausted);
  std::string total = R"({"Cmd":["")";
  for (int i = 0; i < 10; ++i) absl::StrAppend(&total, ",\"", std::string(100 << 10, 'y'), "\"");
  EXPECT_EQ(WithConfig(total + "]}"), absl::StatusCode::kResourceExhausted);
}

TEST(ImageConfig, Platform) {
  std::string arm = absl::StrCat(R"({"os":"linux","architecture":"arm64",)", kRootfs, "}");
  EXPECT_EQ(Read(arm)->status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Read(arm, {"arm64", ""})->status.ok());
  EXPECT_TRUE(Read(arm, {"", ""})->status.ok());
  EXPECT_EQ(Read(absl::StrCat(R"({"os":"windows",)", kRootfs, "}"))->status.code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bulkhead::worker
