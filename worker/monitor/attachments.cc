#include "worker/monitor/attachments.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace bulkhead::monitor {

using ipc::AttachTag;

Attachments::Attachments(base::UniqueFd in, bool tty, bool close_after_first)
    : in_(std::move(in)), tty_(tty), close_after_first_(close_after_first) {
  if (in_) fcntl(in_.get(), F_SETFL, O_RDWR | O_NONBLOCK);
}

bool Attachments::Watch(int operation, int fd, uint32_t events, uint64_t tag) const {
  epoll_event event = {.events = events, .data = {.u64 = tag}};
  return epoll_ctl(epoll_, operation, fd, &event) == 0;
}

void Attachments::Add(base::UniqueFd socket, Wanted wanted) {
  if (clients_.size() >= kMost) return;
  clients_.push_back({std::move(socket), wanted});
  Client& client = clients_.back();
  // While input waits, its socket joins when FlushInput looks at all of them.
  if (!pending_.empty()) return;
  if (!Watch(EPOLL_CTL_ADD, client.socket.get(), EPOLLIN, TagOf(client))) Close(client);
}

void Attachments::Send(AttachTag stream, absl::string_view bytes) {
  if (clients_.empty() || bytes.empty()) return;
  iovec parts[] = {{&stream, 1}, {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr packet = {};
  packet.msg_iov = parts;
  packet.msg_iovlen = 2;
  for (Client& client : clients_) {
    const bool wants = stream == AttachTag::kStderr ? client.wanted.err : client.wanted.out;
    if (!wants || !client.socket) continue;
    if (sendmsg(client.socket.get(), &packet, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) continue;
    if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) {
      client.dropped += bytes.size();
    } else {
      Close(client);
    }
  }
}

void Attachments::ReadClient(uint64_t tag) {
  for (Client& client : clients_) {
    if (TagOf(client) != tag || !client.socket || !pending_.empty()) continue;
    char packet[1 + ipc::kMaxAttachInput];
    const ssize_t got = recv(client.socket.get(), packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || static_cast<size_t>(got) > sizeof(packet)) return Close(client);
    return TakePacket(client, packet, static_cast<size_t>(got));
  }
}

void Attachments::TakePacket(Client& client, const char* packet, size_t size) {
  switch (static_cast<AttachTag>(packet[0])) {
    case AttachTag::kStdin:
      if (client.wanted.in) GiveInput({packet + 1, size - 1});
      return;
    case AttachTag::kResize:
      return Resize(packet + 1, size - 1);
    case AttachTag::kEnd:
      // Whose input ends while the container's goes on has detached, as other runtimes have it too.
      if (client.wanted.in && !InputEndsWithAClient()) return Close(client);
      if (client.wanted.in) EndInput();
      client.wanted.in = false;
      return;
    default:
      return Close(client);
  }
}

void Attachments::GiveInput(absl::string_view bytes) {
  if (!in_ || bytes.empty()) return;
  const ssize_t put = write(in_.get(), bytes.data(), bytes.size());
  if (put < 0 && errno != EAGAIN && errno != EINTR) return in_.Reset();  // nobody reads it any more
  bytes.remove_prefix(put > 0 ? static_cast<size_t>(put) : 0);
  if (bytes.empty()) return;
  pending_.assign(bytes.data(), bytes.size());
  for (Client& client : clients_) {
    if (client.socket) epoll_ctl(epoll_, EPOLL_CTL_DEL, client.socket.get(), nullptr);
  }
  if (!Watch(EPOLL_CTL_ADD, in_.get(), EPOLLOUT, kInputTag)) in_.Reset();
}

void Attachments::FlushInput() {
  if (in_ && !pending_.empty()) {
    const ssize_t put = write(in_.get(), pending_.data(), pending_.size());
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
    pending_.erase(0, put > 0 ? static_cast<size_t>(put) : pending_.size());
    if (!pending_.empty()) return;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, in_.get(), nullptr);
    if (put < 0) in_.Reset();
  }
  std::string().swap(pending_);
  if (end_after_) in_.Reset();
  for (Client& client : clients_) {
    if (!client.socket) continue;
    if (!Watch(EPOLL_CTL_ADD, client.socket.get(), EPOLLIN, TagOf(client))) Close(client);
  }
}

void Attachments::EndInput() {
  if (!InputEndsWithAClient()) return;
  if (pending_.empty()) return in_.Reset();
  end_after_ = true;
}

void Attachments::Resize(const char* bytes, size_t size) {
  ipc::AttachSize asked;
  if (!tty_ || !in_ || size != sizeof(asked)) return;
  memcpy(&asked, bytes, sizeof(asked));
  const winsize window = {.ws_row = asked.rows, .ws_col = asked.columns};
  ioctl(in_.get(), TIOCSWINSZ, &window);
}

void Attachments::Close(Client& client) {
  if (client.dropped > 0) {
    base::Log(base::Severity::kWarning, "an attached client was too slow for some of the output",
              {{"bytes", client.dropped}});
  }
  client.socket.Reset();
  if (client.wanted.in) EndInput();
  client.wanted.in = false;
}

void Attachments::CloseAll() {
  for (Client& client : clients_) {
    if (client.socket) Close(client);
  }
}

void Attachments::DropClosed() {
  clients_.remove_if([](const Client& client) { return !client.socket; });
}

}  // namespace bulkhead::monitor
