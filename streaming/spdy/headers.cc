#include "streaming/spdy/headers.h"

#include "streaming/spdy/bytes.h"

namespace bulkhead::streaming::spdy {
namespace {

void Append(std::string* out, absl::string_view text) {
  Append32(out, static_cast<uint32_t>(text.size()));
  out->append(text.data(), text.size());
}

const Bytef* Bytes(absl::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

// A length and as many bytes.
bool Take(absl::string_view* rest, std::string* out) {
  if (rest->size() < 4) return false;
  const uint32_t size = Load32(rest->data());
  rest->remove_prefix(4);
  if (size > rest->size()) return false;
  out->assign(rest->data(), size);
  rest->remove_prefix(size);
  return true;
}

absl::StatusOr<Headers> Parse(absl::string_view block) {
  if (block.size() < 4) return absl::DataLossError("header block: cut short");
  const uint32_t count = Load32(block.data());
  block.remove_prefix(4);
  if (count > kMaxHeaders) return absl::ResourceExhaustedError("header block: too many headers");
  Headers headers(count);
  for (auto& [name, value] : headers) {
    if (!Take(&block, &name) || !Take(&block, &value)) {
      return absl::DataLossError("header block: cut short");
    }
  }
  if (!block.empty()) return absl::DataLossError("header block: something after the last header");
  return headers;
}

}  // namespace

std::string Find(const Headers& headers, absl::string_view name) {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return "";
}

HeaderReader::HeaderReader() : good_(inflateInit(&stream_) == Z_OK) {}
HeaderReader::~HeaderReader() { inflateEnd(&stream_); }

absl::StatusOr<std::string> HeaderReader::Inflate(absl::string_view block) {
  std::string out;
  stream_.next_in = const_cast<Bytef*>(Bytes(block));
  stream_.avail_in = static_cast<uInt>(block.size());
  for (;;) {
    Bytef part[4096];
    stream_.next_out = part;
    stream_.avail_out = sizeof(part);
    const int result = inflate(&stream_, Z_SYNC_FLUSH);
    if (result == Z_NEED_DICT) {
      const absl::string_view words = HeaderDictionary();
      if (inflateSetDictionary(&stream_, Bytes(words), static_cast<uInt>(words.size())) != Z_OK) {
        return absl::DataLossError("header block: another dictionary");
      }
      continue;
    }
    // Z_STREAM_END: a stream that ends would have to begin again, which no peer does.
    if (result != Z_OK && result != Z_BUF_ERROR)
      return absl::DataLossError("header block: not zlib");
    out.append(reinterpret_cast<char*>(part), sizeof(part) - stream_.avail_out);
    if (out.size() > kMaxHeaderBytes) return absl::ResourceExhaustedError("header block: too long");
    if (stream_.avail_out > 0) return out;
  }
}

absl::StatusOr<Headers> HeaderReader::Read(absl::string_view block) {
  if (!good_ || block.size() > kMaxHeaderBytes) {
    good_ = false;
    return absl::ResourceExhaustedError("header block: too long");
  }
  absl::StatusOr<std::string> plain = Inflate(block);
  good_ = plain.ok();
  if (!good_) return plain.status();
  return Parse(*plain);
}

// The smallest window and memory that zlib has: our headers are a few words.
HeaderWriter::HeaderWriter() {
  const absl::string_view words = HeaderDictionary();
  good_ = deflateInit2(&stream_, 1, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY) == Z_OK &&
          deflateSetDictionary(&stream_, Bytes(words), static_cast<uInt>(words.size())) == Z_OK;
}
HeaderWriter::~HeaderWriter() { deflateEnd(&stream_); }

std::string HeaderWriter::Write(const Headers& headers) {
  std::string plain;
  Append32(&plain, static_cast<uint32_t>(headers.size()));
  for (const auto& [name, value] : headers) {
    Append(&plain, name);
    Append(&plain, value);
  }
  std::string out(good_ ? plain.size() + 512 : 0, '\0');
  stream_.next_in = const_cast<Bytef*>(Bytes(plain));
  stream_.avail_in = static_cast<uInt>(plain.size());
  stream_.next_out = reinterpret_cast<Bytef*>(out.data());
  stream_.avail_out = static_cast<uInt>(out.size());
  if (good_) deflate(&stream_, Z_SYNC_FLUSH);
  out.resize(out.size() - stream_.avail_out);
  return out;
}

}  // namespace bulkhead::streaming::spdy
