// ClientConnection is one client: it reads commands from a socket and hands them on in batches, and
// sends the replies that were written into its output.
//
// Whoever handles it may leave commands for later: the connection then keeps their bytes, reads no
// more, so that TCP holds the client back, and goes on when told to Resume(). What is written into
// writer() outside of OnCommands leaves after MarkDirty(). Output beyond set_send_limit() stays.
//
// Threading: confined to its IoLoop's thread.
// Ownership: by its ConnectionSet. After OnClosed it is gone by the end of the turn: let go of it
// there.

#ifndef TIDEMARK_NET_CLIENT_CONNECTION_H_
#define TIDEMARK_NET_CLIENT_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "net/input_buffer.h"
#include "net/io_loop.h"
#include "net/output_buffer.h"
#include "net/resp_parser.h"
#include "net/resp_writer.h"
#include "net/unique_fd.h"

namespace tidemark::net {

class ClientConnection;
class ConnectionSet;

enum class CloseReason {
  kClient,  // The client closed, or its connection broke.
  kReply,   // Closed after its last reply (QUIT), or by Kill().
  kProtocolError,
  kOutputLimit,       // Did not read its replies (client-output-buffer-limit).
  kQueryBufferLimit,  // Sent a command larger than client-query-buffer-limit.
  kIdle,              // Sent nothing for longer than `timeout`.
  kShutdown,
};

// What a connection's commands go to; one per connection. Every call comes on the loop's thread.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;

  // Runs the first commands of a batch and returns how many it took. If that is not all, the
  // connection is paused until Resume(), and then offers the rest again. Arguments die with the
  // call. The output is sent at the end of the turn.
  virtual size_t OnCommands(ClientConnection& connection,
                            std::span<const ParsedCommand> commands) = 0;
  // The client sent what is no command: write one error reply, "ERR " and `text`, in its place in
  // the order. The connection closes when everything written is sent.
  virtual void OnProtocolError(ClientConnection& connection, std::string_view text) = 0;
  // The client has closed its side for sending, and all its commands were taken. Whoever still has
  // replies to come overrides this, and calls CloseAfterReply() when they are written.
  virtual void OnEndOfInput(ClientConnection& connection);
  // Exactly once, and the last call, never within another. May delete the handler.
  virtual void OnClosed(ClientConnection& connection, CloseReason reason) = 0;
};

// Which of the output limits applies.
enum class OutputClass : uint8_t { kNormal, kReplica, kPubSub };

// client-output-buffer-limit: more than hard_bytes, or more than soft_bytes for soft_seconds
// without a break, closes the connection. 0: no such limit.
struct OutputLimit {
  size_t hard_bytes = 0;
  size_t soft_bytes = 0;
  int64_t soft_seconds = 0;
};

// The settings that all connections of a thread obey; may change at any time on that thread.
struct ConnectionSettings {
  std::array<OutputLimit, 3> output_limits = {OutputLimit{}, OutputLimit{256 << 20, 64 << 20, 60},
                                              OutputLimit{32 << 20, 8 << 20, 60}};
  size_t query_buffer_limit_bytes = size_t{1} << 30;
  int64_t max_bulk_bytes = 512 << 20;
  int64_t idle_timeout_ms = 0;  // 0: never.
};

class ClientConnection final : public IoSocket {
 public:
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;
  ~ClientConnection() override;

  // Replies, in the order of the commands.
  RespWriter& writer() { return writer_; }
  OutputBuffer& output() { return output_; }
  // Output was written outside of OnCommands: send it at the end of this turn.
  void MarkDirty() { loop_.MarkDirty(this); }

  // Output is one stream of bytes, counted from the connection's beginning: where it ends so far.
  uint64_t output_position() const { return sent_bytes_ + output_.size(); }
  // Output beyond `position` is kept until the limit is raised (and MarkDirty() called); until then
  // it counts as any output that the client has not taken, and CloseAfterReply() waits for it.
  // Default: no limit. Bytes that have left are not called back.
  void set_send_limit(uint64_t position) { send_limit_ = position; }
  bool held_back() const { return output_position() > send_limit_; }

  // Goes on after a pause: offers the commands left over, then reads again. At any time, also
  // without a pause.
  void Resume();
  bool paused() const { return paused_; }

  // Takes no more commands, sends what is written, then closes (QUIT). Allowed in OnCommands.
  void CloseAfterReply();
  // Closes at once; unsent output is dropped (CLIENT KILL). Allowed in OnCommands. No-op if closed.
  void Close(CloseReason reason);
  bool closed() const { return closed_; }
  bool closing() const { return closing_ || closed_; }

  // Before a client has authenticated only small requests are taken. Default: authenticated.
  void set_trust(RespParser::Options::Trust trust) { trust_ = trust; }
  // Changes which limits apply; subscribers are kPubSub. Replicas are also spared the idle timeout.
  void set_output_class(OutputClass output_class) { output_class_ = output_class; }
  OutputClass output_class() const { return output_class_; }
  // The most to read in one turn: lower it to slow the client down. 1 to IoLoop::kReadBytes.
  void set_read_limit(size_t bytes);

  uint64_t id() const { return id_; }
  int fd() const { return fd_.get(); }
  // "127.0.0.1:50412", "[::1]:50412".
  const std::string& address() const { return address_; }
  const std::string& local_address() const { return local_address_; }
  int64_t created_ms() const { return created_ms_; }  // Since 1970.
  // When the client last sent something, on the loop's clock that never steps back.
  int64_t last_interaction_ns() const { return last_interaction_ns_; }
  size_t input_bytes() const { return pending_.size(); }  // Received, not yet taken.
  size_t input_memory_bytes() const { return pending_.capacity(); }
  size_t output_bytes() const { return output_.size(); }  // Written, not yet sent.
  // All memory that the connection holds here.
  size_t memory_bytes() const;
  IoLoop& loop() { return loop_; }

  // Called by the loop.
  void OnReady(uint32_t events) override;
  void Flush() override;

 private:
  friend class ConnectionSet;

  ClientConnection(ConnectionSet& set, UniqueFd fd, uint64_t id, std::string address,
                   std::string local_address);

  void Read();
  // Runs the commands at the start of `input`; returns the bytes that are done with.
  size_t RunCommands(std::string_view input);
  void RunLeftover();
  void EndOfInput();
  void FailProtocol(std::string_view text);
  void FinishClose();
  void CheckOutputLimit();
  void CheckTimers();

  ConnectionSet& set_;
  IoLoop& loop_;
  ConnectionHandler* handler_ = nullptr;
  UniqueFd fd_;
  const uint64_t id_;
  bool readable_ = false;       // The socket may have bytes: the last read did not drain it.
  bool at_end_ = false;         // The client has closed its side: read on until the end shows.
  bool input_ended_ = false;    // The end has shown.
  bool write_blocked_ = false;  // The socket is full.
  bool paused_ = false;
  bool leftover_ = false;     // pending_ may hold whole commands.
  bool dispatching_ = false;  // The handler is on the stack.
  bool resumed_ = false;      // Resume() came from within OnCommands.
  bool closing_ = false;      // Closes once the output is sent.
  bool closed_ = false;
  RespParser::Options::Trust trust_ = RespParser::Options::Trust::kAuthenticated;
  OutputClass output_class_ = OutputClass::kNormal;
  CloseReason close_reason_ = CloseReason::kReply;
  uint32_t read_limit_ = IoLoop::kReadBytes;
  RespParser parser_;
  InputBuffer pending_;  // Received and not yet taken.
  OutputBuffer output_;
  RespWriter writer_;
  uint64_t sent_bytes_ = 0;
  uint64_t send_limit_ = std::numeric_limits<uint64_t>::max();
  int64_t last_interaction_ns_;
  int64_t soft_limit_since_ns_ = 0;  // 0: below the soft limit.
  const int64_t created_ms_;
  const std::string address_;
  const std::string local_address_;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_CLIENT_CONNECTION_H_
