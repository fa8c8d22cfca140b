#include "schema/proto/redact.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "bulkhead/options.pb.h"
#include "cri/v1/api.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"

namespace bulkhead::cri {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "hunter2";

bool IsOneAsciiLine(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

TEST(Redacted, EmptyMessageIsEmpty) {
  EXPECT_EQ(Redacted(runtime::v1::RunPodSandboxRequest()), "");
}

TEST(Redacted, ShowsOpenFieldsOfEveryKind) {
  runtime::v1::ContainerConfig config;
  config.mutable_metadata()->set_name("web");
  config.mutable_metadata()->set_attempt(3);
  config.add_command("/bin/sh");
  config.add_command("-c");
  config.set_tty(true);
  config.mutable_linux()->mutable_resources()->set_cpu_quota(-1);
  config.mutable_linux()->mutable_security_context()->mutable_run_as_user();
  config.set_stop_signal(runtime::v1::SIGNAL_SIGTERM);
  EXPECT_EQ(Redacted(config),
            "metadata { name: \"web\" attempt: 3 } command: \"/bin/sh\" command: \"-c\" tty: true "
            "linux { resources { cpu_quota: -1 } security_context { run_as_user { } } } "
            "stop_signal: SIGNAL_SIGTERM");

  runtime::v1::PsiData psi;
  psi.set_total(18446744073709551615u);
  psi.set_avg10(0.5);
  EXPECT_EQ(Redacted(psi), "Total: 18446744073709551615 Avg10: 0.5");
}

TEST(Redacted, ShowsUnnamedEnumValuesByNumber) {
  runtime::v1::Metric metric;
  metric.set_metric_type(static_cast<runtime::v1::MetricType>(77));
  EXPECT_EQ(Redacted(metric), "metric_type: 77");
}

TEST(Redacted, HidesRegistryCredentials) {
  runtime::v1::PullImageRequest request;
  request.mutable_image()->set_image("registry.example/app:1");
  request.mutable_auth()->set_username("bob");
  request.mutable_auth()->set_password(kSecret);
  request.mutable_auth()->set_auth(kSecret);
  request.mutable_auth()->set_server_address("registry.example");
  request.mutable_auth()->set_identity_token(kSecret);
  request.mutable_auth()->set_registry_token(kSecret);
  EXPECT_EQ(Redacted(request),
            "image { image: \"registry.example/app:1\" } "
            "auth { username: \"bob\" password: <redacted> auth: <redacted> "
            "server_address: \"registry.example\" identity_token: <redacted> "
            "registry_token: <redacted> }");
}

TEST(Redacted, HidesValuesOfEnvironmentVariablesDeepInside) {
  runtime::v1::CreateContainerRequest request;
  for (const char* name : {"USER", "PASSWORD"}) {
    runtime::v1::KeyValue& variable = *request.mutable_config()->add_envs();
    variable.set_key(name);
    variable.set_value(kSecret);
  }
  EXPECT_EQ(Redacted(request),
            "config { envs { key: \"USER\" value: <redacted> } "
            "envs { key: \"PASSWORD\" value: <redacted> } }");
}

TEST(Redacted, ShowsKeysOfMarkedMapsOnly) {
  runtime::v1::PodSandboxConfig config;
  (*config.mutable_annotations())["last-applied"] = kSecret;
  (*config.mutable_labels())["app"] = "web";
  EXPECT_EQ(Redacted(config),
            "labels { key: \"app\" value: \"web\" } "
            "annotations { key: \"last-applied\" value: <redacted> }");
}

// Sets `field`, or one element of it, to kSecret.
void SetToSecret(const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_map()) {
    Message& entry = *reflection.AddMessage(&message, &field);
    entry.GetReflection()->SetString(&entry, field.message_type()->map_key(), "key");
    entry.GetReflection()->SetString(&entry, field.message_type()->map_value(), kSecret);
  } else {
    reflection.SetString(&message, &field, kSecret);
  }
}

// Whatever gets marked in the schema is hidden, whether or not a test above knows of it.
TEST(Redacted, HidesEveryMarkedFieldOfTheSchema) {
  const google::protobuf::FileDescriptor& api = *runtime::v1::KeyValue::descriptor()->file();
  int tried = 0;
  for (int i = 0; i < api.message_type_count(); ++i) {
    const Descriptor& type = *api.message_type(i);
    for (int j = 0; j < type.field_count(); ++j) {
      const FieldDescriptor& field = *type.field(j);
      if (!field.options().GetExtension(secret)) continue;
      const std::unique_ptr<Message> message(
          google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
      SetToSecret(field, *message);
      EXPECT_THAT(message->DebugString(), HasSubstr(kSecret));
      EXPECT_THAT(Redacted(*message), Not(HasSubstr(kSecret))) << field.full_name();
      EXPECT_THAT(Redacted(*message), HasSubstr("<redacted>")) << field.full_name();
      ++tried;
    }
  }
  EXPECT_GT(tried, 0);
}

TEST(Redacted, HidesUnmarkedBytes) {
  google::protobuf::Any any;
  any.set_type_url("type.example/Login");
  any.set_value(kSecret);
  EXPECT_EQ(Redacted(any), "type_url: \"type.example/Login\" value: <7 bytes>");
}

TEST(Redacted, CountsUnknownFieldsWithoutShowingThem) {
  runtime::v1::ImageFilter filter;
  google::protobuf::UnknownFieldSet& top = *filter.GetReflection()->MutableUnknownFields(&filter);
  top.AddLengthDelimited(4000, kSecret);
  top.AddVarint(4001, 424242);
  runtime::v1::ImageSpec& image = *filter.mutable_image();
  image.GetReflection()->MutableUnknownFields(&image)->AddLengthDelimited(4000, kSecret);
  EXPECT_EQ(Redacted(filter), "image { <1 unknown> } <2 unknown>");
}

TEST(Redacted, EscapesWhatCouldForgeALogLine) {
  runtime::v1::ImageSpec image;
  image.set_image("a\nb\x1b[31m\"} auth\xe2\x80\xae\\");
  const std::string text = Redacted(image);
  EXPECT_TRUE(IsOneAsciiLine(text)) << text;
  EXPECT_EQ(text, R"(image: "a\nb\033[31m\"} auth\342\200\256\\")");
}

TEST(Redacted, ResultOfExactlyTheLimitIsWhole) {
  constexpr std::size_t kMark = std::string_view(" <cut off>").size();
  constexpr std::size_t kFrame = std::string_view("image: \"\"").size();
  runtime::v1::ImageSpec image;
  image.set_image(std::string(kMaxRedactedSize - kMark - kFrame, 'x'));
  EXPECT_THAT(Redacted(image), EndsWith("x\""));
  EXPECT_EQ(Redacted(image).size(), kMaxRedactedSize - kMark);

  image.mutable_image()->push_back('x');
  EXPECT_THAT(Redacted(image), EndsWith("x <cut off>"));
  EXPECT_EQ(Redacted(image).size(), kMaxRedactedSize);
}

TEST(Redacted, BoundsLongValuesAndLongLists) {
  runtime::v1::ImageSpec image;
  image.set_image(std::string(16 << 20, '\n'));
  EXPECT_EQ(Redacted(image).size(), kMaxRedactedSize);

  runtime::v1::ExecRequest request;
  for (int i = 0; i < 1'000'000; ++i) request.add_cmd("");
  EXPECT_EQ(Redacted(request).size(), kMaxRedactedSize);
  EXPECT_THAT(Redacted(request), EndsWith(" <cut off>"));
}

TEST(Redacted, BoundsDepth) {
  google::protobuf::ListValue list;
  google::protobuf::ListValue* inner = &list;
  for (int i = 0; i < 10'000; ++i) inner = inner->add_values()->mutable_list_value();
  EXPECT_EQ(Redacted(list).size(), kMaxRedactedSize);
}

}  // namespace
}  // namespace bulkhead::cri
