#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/wipe.h"

namespace bulkhead::broker {

// One Cap'n Proto struct with its memory: a thing of the broker's state, or its copy of a request.
template <typename T>
class Record {
 public:
  Record() : message_(std::make_unique<capnp::MallocMessageBuilder>(kFirstWords)) {
    message_->initRoot<T>();
  }
  explicit Record(typename T::Reader from)
      : message_(std::make_unique<capnp::MallocMessageBuilder>(kFirstWords)) {
    message_->setRoot(from);
  }
  Record(Record&&) noexcept = default;
  Record& operator=(Record&&) noexcept = default;

  typename T::Builder edit() { return message_->getRoot<T>(); }
  typename T::Reader read() const { return message_->getRoot<T>().asReader(); }

  // Overwrites what it holds, where that is secret.
  void Wipe() { ipc::Wipe(*message_); }

  std::string Serialize() const {
    kj::Array<capnp::word> words = capnp::messageToFlatArray(*message_);
    auto bytes = words.asBytes();
    return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  }

  // DATA_LOSS where the bytes are no such struct.
  static absl::StatusOr<Record> Parse(const std::string& bytes) {
    absl::Span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (absl::Status good = ipc::CheckSegmentTable(span); !good.ok()) return good;
    kj::Array<capnp::word> words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    memcpy(words.begin(), bytes.data(), words.asBytes().size());
    std::unique_ptr<Record> record;
    absl::Status status = ipc::Guarded([&] {
      capnp::FlatArrayMessageReader reader(words, ipc::SafeReaderOptions(bytes.size()));
      record = std::make_unique<Record>(reader.getRoot<T>());
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return std::move(*record);
  }

 private:
  static constexpr unsigned kFirstWords = 128;
  mutable std::unique_ptr<capnp::MallocMessageBuilder> message_;
};

}  // namespace bulkhead::broker
