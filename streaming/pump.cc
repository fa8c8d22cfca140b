#include "streaming/pump.h"

#include <algorithm>

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;

}  // namespace

Source::Source(asio::io_context& io, base::UniqueFd fd, StreamPtr stream,
               std::function<void()> on_end)
    : fd_(io, fd.Release()), stream_(std::move(stream)), on_end_(std::move(on_end)) {}

std::shared_ptr<Source> Source::Begin(asio::io_context& io, base::UniqueFd fd, StreamPtr stream,
                                      std::function<void()> on_end) {
  std::shared_ptr<Source> source(
      new Source(io, std::move(fd), std::move(stream), std::move(on_end)));
  source->stream_->WhenRoom([weak = source->weak_from_this()] {
    if (auto self = weak.lock()) self->Read();
  });
  source->Read();
  return source;
}

void Source::Read() {
  const size_t room = std::min(stream_->Room(), kBufferBytes);
  if (pending_ || ended_ || room == 0) return;
  pending_ = true;
  fd_.async_read_some(asio::buffer(buffer_.get(), room),
                      [self = shared_from_this()](error_code error, size_t size) {
                        self->pending_ = false;
                        if (self->ended_) return;
                        // A terminal whose last user has gone ends with an error.
                        if (error) return self->End();
                        self->read_ += size;
                        self->stream_->Write({self->buffer_.get(), size});
                        self->Read();
                      });
}

void Source::End() {
  Stop();
  if (std::function<void()> on_end = std::move(on_end_)) on_end();
}

void Source::Stop() {
  ended_ = true;
  error_code ignored;
  fd_.close(ignored);
  stream_->WhenRoom(nullptr);
}

Sink::Sink(asio::io_context& io, base::UniqueFd fd, StreamPtr stream, std::function<void()> on_end)
    : fd_(io, fd.Release()), stream_(std::move(stream)), on_end_(std::move(on_end)) {}

std::shared_ptr<Sink> Sink::Begin(asio::io_context& io, base::UniqueFd fd, StreamPtr stream,
                                  std::function<void()> on_end, std::function<void()> on_reset) {
  std::shared_ptr<Sink> sink(new Sink(io, std::move(fd), std::move(stream), std::move(on_end)));
  sink->on_reset_ = std::move(on_reset);
  const auto on_data = [weak = sink->weak_from_this(),
                        stream = sink->stream_.get()](absl::string_view bytes) {
    if (auto self = weak.lock()) return self->Take(bytes);
    stream->Consumed(bytes.size());
  };
  sink->stream_->Take(on_data, [weak = sink->weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->client_ended_ = true;
    if (self->stream_->reset() && self->on_reset_ != nullptr) {
      asio::post(self->fd_.get_executor(), std::exchange(self->on_reset_, nullptr));
    }
    self->EndIfDone();
  });
  return sink;
}

void Sink::Take(absl::string_view bytes) {
  if (broken_) return stream_->Consumed(bytes.size());
  pending_.append(bytes.data(), bytes.size());
  Write();
}

void Sink::Write() {
  if (written_ < writing_.size() || broken_) return;
  written_ = 0;
  writing_.clear();
  writing_.swap(pending_);
  if (writing_.empty()) return EndIfDone();
  asio::async_write(fd_, asio::buffer(writing_),
                    [self = shared_from_this()](error_code error, size_t) {
                      const size_t done = self->writing_.size();
                      self->written_ = done;
                      if (error) self->broken_ = true;
                      if (error) self->stream_->Consumed(std::exchange(self->pending_, "").size());
                      self->stream_->Consumed(done);
                      self->Write();
                      self->EndIfDone();
                    });
}

void Sink::EndIfDone() {
  if (!client_ended_ || (!broken_ && written_ < writing_.size())) return;
  if (!broken_ && !pending_.empty()) return;
  if (on_end_ != nullptr) asio::post(fd_.get_executor(), std::exchange(on_end_, nullptr));
}

void Sink::Stop() {
  broken_ = true;
  on_end_ = nullptr;
  on_reset_ = nullptr;
  error_code ignored;
  fd_.close(ignored);
}

}  // namespace bulkhead::streaming
