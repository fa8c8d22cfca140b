// Which runtime a container gets, and that nothing else has a say in it.
#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using Runtime = tools::CriClient::Runtime;

class RuntimeSelection : public NodeTest {
 protected:
  // "lxc" is crun under another name: what is chosen is shown by the name.
  NodeOptions Options() override {
    return {.extra_config =
                "image_rule_presets = [\"lxc\"]\n"
                "image_rules = [{pattern = \"localhost/gone\", runtime = \"gone\"}]\n"
                "runtimes.lxc.path = \"/usr/bin/crun\"\n"
                "runtimes.gone.path = \"/usr/bin/no-such-runtime\"\n"};
  }
  absl::StatusOr<std::string> Info(const std::string& container) {
    cri::ContainerStatusRequest request;
    request.set_container_id(container);
    request.set_verbose(true);
    auto response = cri().Call(&Runtime::ContainerStatus, request, kPatience);
    if (!response.ok()) return response.status();
    return response->info().at("info");
  }
};

TEST_F(RuntimeSelection, HandlerThenImageRuleThenDefault) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto info_of = [&](const char* name, const char* user_specified, const std::string& in) {
    auto request = ContainerRequest(in, name, {"/bin/true"});
    request.mutable_config()->mutable_image()->set_user_specified_image(user_specified);
    // Never an annotation.
    (*request.mutable_config()->mutable_annotations())["runtime"] = "lxc";
    auto id = Create(request);
    return id.ok() ? Info(*id).value_or("") : id.status().ToString();
  };
  EXPECT_THAT(info_of("plain", "busybox:1", *pod),
              ::testing::AllOf(HasSubstr("\"runtime\":\"crun\""), HasSubstr("default")));
  EXPECT_THAT(info_of("ruled", "quay.io/lxc/debian:12", *pod),
              ::testing::AllOf(HasSubstr("\"runtime\":\"lxc\""),
                               HasSubstr("image rule '*/lxc/*' of preset lxc")));
  EXPECT_THAT(node().Log(), HasSubstr("image rule \\'*/lxc/*\\'"));
  // No fallback where the rule's runtime is missing.
  EXPECT_THAT(info_of("gone", "localhost/gone:1", *pod), HasSubstr("FAILED_PRECONDITION"));

  auto request = PodRequest("handled");
  request.set_runtime_handler("crun");
  auto handled = RunPod(request);
  ASSERT_THAT(handled, IsOk());
  EXPECT_THAT(info_of("handled", "lxc/debian", *handled),
              ::testing::AllOf(HasSubstr("\"runtime\":\"crun\""), HasSubstr("handler")));
  for (auto [handler, code] : {std::pair("nosuch", absl::StatusCode::kInvalidArgument),
                               std::pair("gone", absl::StatusCode::kFailedPrecondition)}) {
    auto bad = PodRequest(handler);
    bad.set_runtime_handler(handler);
    EXPECT_EQ(RunPod(bad).status().code(), code) << handler;
  }
  RemoveAll();
}

TEST_F(RuntimeSelection, IsShown) {
  cri::StatusRequest request;
  request.set_verbose(true);
  auto status = cri().Call(&Runtime::Status, request, kPatience);
  ASSERT_THAT(status, IsOk());
  std::vector<std::string> names;
  for (const auto& handler : status->runtime_handlers()) {
    names.push_back(handler.name());
    EXPECT_TRUE(handler.features().recursive_read_only_mounts()) << handler.name();
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("", "crun", "gone", "lxc"));
  EXPECT_THAT(status->info().at("config"), HasSubstr("\"pattern\":\"db-*\""));
  Output checked = node().Bulkhead({"config", "check"});
  EXPECT_THAT(checked.out, HasSubstr("image rule 'db-*': runtime lxc, of preset lxc"));
  EXPECT_THAT(checked.out, HasSubstr("image rule 'localhost/gone': runtime gone"));
  EXPECT_THAT(checked.out, HasSubstr("other images: runtime crun"));
}

TEST_F(RuntimeSelection, VerboseStatusIsWhatInspectShows) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto id = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  auto info = Info(*id);
  ASSERT_THAT(info, IsOk());
  EXPECT_THAT(*info, HasSubstr(absl::StrCat("\"sandboxID\":\"", *pod, "\"")));
  EXPECT_THAT(*info, HasSubstr("\"runtimeSpec\":{"));
  EXPECT_THAT(*info, HasSubstr("\"args\":[\"/bin/sleep\",\"1000\"]"));
  EXPECT_THAT(*info, ::testing::Not(HasSubstr("\"pid\":0")));
  RemoveAll();
}

// The request says twice which pod it is about, and must not contradict itself.
TEST_F(RuntimeSelection, AContainerForAnotherPodThanTheConfigsIsRefused) {
  auto pod = RunPod(PodRequest("pod"));
  auto other = RunPod(PodRequest("other"));
  ASSERT_THAT(pod, IsOk());
  ASSERT_THAT(other, IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/true"});
  request.set_pod_sandbox_id(*other);
  absl::Status refused = Create(request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("sandbox_config.metadata"));
  request.set_pod_sandbox_id(*pod);
  EXPECT_THAT(Create(request), IsOk());
  ASSERT_THAT(StopPod(*pod), IsOk());
  auto late = ContainerRequest(*pod, "late", {"/bin/true"});
  EXPECT_EQ(Create(late).status().code(), absl::StatusCode::kFailedPrecondition);
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
