#pragma once

#include <google/protobuf/message.h>

namespace bulkhead::frontend {

// How many fields in message and below it have no name in the schema.
int CountUnknownFields(const google::protobuf::Message& message);

}  // namespace bulkhead::frontend
