#pragma once

#include <deque>
#include <string>
#include <vector>

#include "streaming/carrier.h"
#include "streaming/wire.h"

namespace bulkhead::streaming {

// The connection itself, as a stream of bytes.
class TcpCarrier : public Carrier {
 public:
  // early: bytes that were read beyond the request.
  TcpCarrier(Wire& wire, std::string early)
      : wire_(wire), timer_(wire.get_executor()), early_(std::move(early)) {}

  void Start(Events events) override;
  void Send(std::string bytes, bool text) override;
  size_t Queued() const override { return queued_; }
  void SetReading(bool reading) override;
  void Finish() override;

 private:
  void Read();
  void GiveEarly();
  void Write();
  void AwaitFarewell();
  void Gone();

  Wire& wire_;
  asio::steady_timer timer_;
  std::string early_;
  Events events_;
  std::vector<char> buffer_ = std::vector<char>(64 << 10);
  std::deque<std::string> queue_;
  size_t queued_ = 0;
  bool reading_ = true;
  bool read_pending_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  bool gone_ = false;
};

}  // namespace bulkhead::streaming
