// LinkSocket moves a link's bytes: reads into one buffer, and gathers what there is to write into
// one system call at a time.
//
// Threading: the link thread.

#ifndef TIDEMARK_BASE_LINK_LINK_SOCKET_H_
#define TIDEMARK_BASE_LINK_LINK_SOCKET_H_

#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace tidemark {

// What moves through a LinkSocket, and what becomes of it. Calls come from the loop only, never
// from within the socket's own functions.
class LinkSocketOwner {
 public:
  virtual ~LinkSocketOwner() = default;
  virtual void OnBytes(std::string_view bytes) = 0;
  // Appends up to `max_pieces` of what is to be written; the pieces stay good until OnWritten().
  virtual void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) = 0;
  virtual void OnWritten(size_t bytes) = 0;
  // The connection is gone; nothing is called after this.
  virtual void OnClosed(const absl::Status& why) = 0;
};

class LinkSocket {
 public:
  // `owner` is borrowed until Close() or its OnClosed(). Begins to read.
  LinkSocket(asio::ip::tcp::socket socket, LinkSocketOwner* owner);
  ~LinkSocket();  // Closes.

  // There may be something to write.
  void WantWrite();
  void SetReading(bool reading);
  void Close();

 private:
  // Shared with the handlers under way, which may run after the socket is gone.
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_LINK_SOCKET_H_
