// Compares the compiled CRI schema with cri-v1.tsv, the table of everything Kubernetes fixed about
// it. A peer never sees our .proto file, only the bytes it leads to, and a wrong number shows up as
// a field that silently stays empty; so the comparison covers every name, number and type.
//
// Rows of the table, tab separated, nested types written with dots:
//   service  <service>
//   rpc      <service> <name> <request> <response> unary|stream
//   message  <message>
//   field    <message> <number> <name> <type> single|repeated|map <oneof or "-">
//   enum     <enum>
//   value    <enum> <number> <name>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bulkhead/options.pb.h"
#include "cri/v1/api.grpc.pb.h"
#include "cri/v1/api.pb.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

namespace bulkhead::cri {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

using Rows = std::set<std::string>;

const FileDescriptor& Api() { return *runtime::v1::VersionRequest::descriptor()->file(); }

// A name as the table has it: in the package, without its prefix. Types of other packages keep
// their full name and so never match a row by accident.
std::string Local(std::string_view full_name) {
  constexpr std::string_view kPackage = "runtime.v1.";
  if (full_name.substr(0, kPackage.size()) == kPackage) full_name.remove_prefix(kPackage.size());
  return std::string(full_name);
}

std::string TypeName(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat("map<", TypeName(*field.message_type()->map_key()), ",",
                        TypeName(*field.message_type()->map_value()), ">");
  }
  switch (field.type()) {
    case FieldDescriptor::TYPE_MESSAGE:
      return Local(field.message_type()->full_name());
    case FieldDescriptor::TYPE_ENUM:
      return Local(field.enum_type()->full_name());
    default:
      return field.type_name();
  }
}

std::string Label(const FieldDescriptor& field) {
  if (field.is_map()) return "map";
  if (field.is_repeated()) return "repeated";
  // `optional` changes which values are sent, so it is not the same as a plain field.
  return field.has_optional_keyword() ? "optional" : "single";
}

void AddEnum(const EnumDescriptor& type, Rows& rows) {
  const std::string name = Local(type.full_name());
  rows.insert(absl::StrJoin({std::string("enum"), name}, "\t"));
  for (int i = 0; i < type.value_count(); ++i) {
    rows.insert(absl::StrJoin(
        {std::string("value"), name, absl::StrCat(type.value(i)->number()), type.value(i)->name()},
        "\t"));
  }
}

void AddMessage(const Descriptor& type, Rows& rows) {
  const std::string name = Local(type.full_name());
  rows.insert(absl::StrJoin({std::string("message"), name}, "\t"));
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const auto* oneof = field.real_containing_oneof();
    rows.insert(absl::StrJoin(
        {std::string("field"), name, absl::StrCat(field.number()), field.name(), TypeName(field),
         Label(field), oneof != nullptr ? oneof->name() : std::string("-")},
        "\t"));
  }
  for (int i = 0; i < type.nested_type_count(); ++i) {
    // Entries of maps are the compiler's doing; the map field itself is what the table lists.
    if (!type.nested_type(i)->options().map_entry()) AddMessage(*type.nested_type(i), rows);
  }
  for (int i = 0; i < type.enum_type_count(); ++i) AddEnum(*type.enum_type(i), rows);
}

void AddService(const ServiceDescriptor& service, Rows& rows) {
  rows.insert(absl::StrJoin({std::string("service"), service.name()}, "\t"));
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    std::string streaming = method.server_streaming() ? "stream" : "unary";
    if (method.client_streaming()) streaming = absl::StrCat("client-", streaming);
    rows.insert(absl::StrJoin(
        {std::string("rpc"), service.name(), method.name(), Local(method.input_type()->full_name()),
         Local(method.output_type()->full_name()), streaming},
        "\t"));
  }
}

Rows CompiledRows() {
  Rows rows;
  for (int i = 0; i < Api().service_count(); ++i) AddService(*Api().service(i), rows);
  for (int i = 0; i < Api().message_type_count(); ++i) AddMessage(*Api().message_type(i), rows);
  for (int i = 0; i < Api().enum_type_count(); ++i) AddEnum(*Api().enum_type(i), rows);
  return rows;
}

// Empty if the table cannot be read, or has a row twice.
Rows TableRows() {
  Rows rows;
  std::ifstream table(CRI_WIRE_TABLE);
  for (std::string line; std::getline(table, line);) {
    if (!rows.insert(line).second) {
      ADD_FAILURE() << "row twice in the table: " << line;
      return {};
    }
  }
  return rows;
}

// Rows of `left` that `right` lacks, one a line, for the failure message.
std::string Missing(const Rows& left, const Rows& right) {
  std::vector<std::string> missing;
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(),
                      std::back_inserter(missing));
  return absl::StrJoin(missing, "\n");
}

void CollectFields(const Descriptor& type, std::vector<const FieldDescriptor*>& fields) {
  for (int i = 0; i < type.field_count(); ++i) fields.push_back(type.field(i));
  for (int i = 0; i < type.nested_type_count(); ++i) CollectFields(*type.nested_type(i), fields);
}

std::vector<const FieldDescriptor*> AllFields() {
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < Api().message_type_count(); ++i) {
    CollectFields(*Api().message_type(i), fields);
  }
  return fields;
}

bool IsSecret(const FieldDescriptor& field) { return field.options().GetExtension(secret); }

TEST(CriWire, CompiledSchemaHasEverythingInTheTable) {
  const Rows table = TableRows();
  ASSERT_FALSE(table.empty()) << "cannot use " << CRI_WIRE_TABLE;
  EXPECT_EQ(Missing(table, CompiledRows()), "");
}

TEST(CriWire, CompiledSchemaHasNothingBesidesTheTable) {
  const Rows compiled = CompiledRows();
  ASSERT_FALSE(compiled.empty());
  EXPECT_EQ(Missing(compiled, TableRows()), "");
}

TEST(CriWire, PackageAndSyntaxAreFixed) {
  EXPECT_EQ(Api().package(), "runtime.v1");
  EXPECT_EQ(Api().syntax(), FileDescriptor::SYNTAX_PROTO3);
  EXPECT_EQ(Api().extension_count(), 0);
}

// gRPC makes the path of a call, "/runtime.v1.RuntimeService/Version", from this name.
TEST(CriWire, GrpcServiceNamesAreFixed) {
  EXPECT_STREQ(runtime::v1::RuntimeService::service_full_name(), "runtime.v1.RuntimeService");
  EXPECT_STREQ(runtime::v1::ImageService::service_full_name(), "runtime.v1.ImageService");
}

// Some bytes on the wire, written out by hand, so that the comparison of descriptors is not the
// only witness: field 2, length-delimited, holding bytes that are no UTF-8.
TEST(CriWire, EnvironmentValuesMayBeAnyBytes) {
  runtime::v1::KeyValue variable;
  ASSERT_TRUE(variable.ParseFromString("\x0a\x01K\x12\x02\xff\xfe"));
  EXPECT_EQ(variable.key(), "K");
  EXPECT_EQ(variable.value(), "\xff\xfe");
  EXPECT_EQ(variable.SerializeAsString(), "\x0a\x01K\x12\x02\xff\xfe");
}

// The exact list: taking a mark away fails here, and so does adding one nobody thought about.
TEST(CriWire, ExactlyTheSecretFieldsAreMarked) {
  const Rows expected = {
      "AttachResponse.url",
      "AuthConfig.auth",
      "AuthConfig.identity_token",
      "AuthConfig.password",
      "AuthConfig.registry_token",
      "Container.annotations",
      "ContainerAttributes.annotations",
      "ContainerConfig.annotations",
      "ContainerStatus.annotations",
      "ContainerStatusResponse.info",
      "ExecResponse.url",
      "ExecSyncResponse.stderr",
      "ExecSyncResponse.stdout",
      "ImageSpec.annotations",
      "ImageStatusResponse.info",
      "KeyValue.value",
      "PodSandbox.annotations",
      "PodSandboxAttributes.annotations",
      "PodSandboxConfig.annotations",
      "PodSandboxStatus.annotations",
      "PodSandboxStatusResponse.info",
      "PortForwardResponse.url",
      "StatusResponse.info",
      "UpdateContainerResourcesRequest.annotations",
      "WindowsContainerSecurityContext.credential_spec",
      "WindowsSandboxSecurityContext.credential_spec",
  };
  Rows marked;
  for (const FieldDescriptor* field : AllFields()) {
    if (IsSecret(*field)) marked.insert(Local(field->full_name()));
  }
  EXPECT_EQ(Missing(expected, marked), "") << "not marked";
  EXPECT_EQ(Missing(marked, expected), "") << "marked, but not in this list";
}

// Catches what a later version of the interface brings, before anybody updates the list above.
TEST(CriWire, FieldsThatSoundSecretAreMarked) {
  for (const FieldDescriptor* field : AllFields()) {
    if (field->type() == FieldDescriptor::TYPE_MESSAGE && !field->is_map()) continue;
    for (const char* word : {"annotations", "auth", "cred", "info", "key_data", "passphrase",
                             "passw", "private", "secret", "token", "url"}) {
      if (absl::StrContains(field->name(), word)) {
        EXPECT_TRUE(IsSecret(*field)) << field->full_name();
      }
    }
    if (field->type() == FieldDescriptor::TYPE_BYTES) {
      EXPECT_TRUE(IsSecret(*field)) << field->full_name() << " holds raw data";
    }
  }
}

}  // namespace
}  // namespace bulkhead::cri
