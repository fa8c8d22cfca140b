#include "worker/nodeconfig/yaml.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

TEST(Yaml, MeansWhatItsJsonMeans) {
  absl::StatusOr<Json> read = ParseYaml(R"(---
cdiVersion: 0.5.0
kind: "vendor.com/gpu"
numbers: [1, -2, 0660, 18446744073709551615]
words: {a: true, b: false, c: null, d: ~, e: 'true', f: "1"}
empty:
list:
- name: gpu0
  deep: {x: [y]}
- plain text
)");
  ASSERT_TRUE(read.ok()) << read.status();
  const Json wanted = Json::parse(R"({"cdiVersion": "0.5.0", "kind": "vendor.com/gpu",
    "numbers": [1, -2, 660, 18446744073709551615],
    "words": {"a": true, "b": false, "c": null, "d": null, "e": "true", "f": "1"},
    "empty": null, "list": [{"name": "gpu0", "deep": {"x": ["y"]}}, "plain text"]})");
  EXPECT_EQ(*read, wanted) << *read;
}

TEST(Yaml, RefusesWhatTwoReadersMayUnderstandDifferently) {
  for (const char* text :
       {"", "a", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: &x {b: 1}\n", "<<: {a: 1}\n",
        "a: !!str 1\n", "a: !foo 1\n", "a: 1\n---\nb: 2\n", "a: [1\n", "? [a]\n: b\n",
        "a: \"x\\0y\"\n", "\t- a\n", "a: %x\n  b\n c: d: e\n"}) {
    EXPECT_EQ(ParseYaml(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Yaml, IsBounded) {
  std::string deep = "a: ";
  for (int i = 0; i < 100; ++i) deep += "[";
  for (int i = 0; i < 100; ++i) deep += "]";
  EXPECT_EQ(ParseYaml(deep).status().code(), absl::StatusCode::kResourceExhausted);
  std::string many = "a: [";
  for (int i = 0; i < 200001; ++i) many += "1,";
  EXPECT_EQ(ParseYaml(many + "]").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ParseYaml(std::string(kMaxDocumentBytes + 1, '#')).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bulkhead::worker
