#pragma once

#include <list>
#include <string>

#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "ipc/attach_protocol.h"

namespace bulkhead::monitor {

// The clients that are attached to a container (ipc/attach_protocol.h), and its standard input.
// Nothing here waits: a client that does not read loses output, not the container its time.
class Attachments {
 public:
  static constexpr size_t kMost = 32;  // at one time; one more is turned away

  struct Wanted {
    bool in = false;
    bool out = false;
    bool err = false;
  };
  // in: the container's standard input or terminal, empty where it has none. close_after_first: its
  // input ends with the first client that gave some (stdin_once).
  Attachments(base::UniqueFd in, bool tty, bool close_after_first);

  // Events are reported in this epoll set with the tags kInputTag and, for clients, an address with
  // its lowest bit set.
  void SetEpoll(int epoll) { epoll_ = epoll; }
  static constexpr uint64_t kInputTag = 16;
  static bool IsClient(uint64_t tag) { return (tag & 1) != 0 && tag > kInputTag; }

  void Add(base::UniqueFd socket, Wanted wanted);
  // Gives all who asked for it the container's output: at most kMaxAttachOutput bytes.
  void Send(ipc::AttachTag stream, absl::string_view bytes);
  // A client's socket has something.
  void ReadClient(uint64_t tag);
  // The container takes input again.
  void FlushInput();
  // The container has ended.
  void CloseAll();
  // Frees those that have gone; call it when no tag of theirs is still to be handled.
  void DropClosed();

 private:
  struct Client {
    base::UniqueFd socket;
    Wanted wanted;
    uint64_t dropped = 0;  // bytes of output
  };
  static uint64_t TagOf(const Client& client) { return reinterpret_cast<uint64_t>(&client) | 1; }

  void Close(Client& client);
  void TakePacket(Client& client, const char* packet, size_t size);
  void GiveInput(absl::string_view bytes);
  // A terminal has no end of input but the one that is typed.
  bool InputEndsWithAClient() const { return close_after_first_ && !tty_; }
  void EndInput();
  void Resize(const char* bytes, size_t size);
  bool Watch(int operation, int fd, uint32_t events, uint64_t tag) const;

  base::UniqueFd in_;
  const bool tty_;
  const bool close_after_first_;
  int epoll_ = -1;
  std::list<Client> clients_;
  std::string pending_;     // input that the container has not taken yet; nobody is read meanwhile
  bool end_after_ = false;  // the input ends after it
};

}  // namespace bulkhead::monitor
