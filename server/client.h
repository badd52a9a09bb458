// Client is one client connection: its socket, its session with the engine, and what the client has
// said about itself. It decides for every command whether it may run now, and sends it on: data
// commands to the session, the rest to the server's own handlers.
//
// Threading: confined to its shard's thread.
// Ownership: owned by its ShardNode, which outlives it; dies when its connection has closed.

#ifndef TIDEMARK_SERVER_CLIENT_H_
#define TIDEMARK_SERVER_CLIENT_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings/ack_policy.h"
#include "cache/session.h"
#include "net/client_connection.h"
#include "net/resp_writer.h"
#include "server/held_replies.h"
#include "server/node_report.h"
#include "server/read_demands.h"
#include "server/resp_reply.h"
#include "server/server_command.h"

namespace tidemark::server {

class Node;
class ShardNode;

class Client final : public net::ConnectionHandler, public cache::SessionObserver {
 public:
  // `connection` outlives this but for the rest of the turn in which it closes.
  Client(ShardNode& shard, net::ClientConnection& connection);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- For the handlers of the server's commands. ---
  Node& node();
  ShardNode& shard() { return shard_; }
  cache::Session& session() { return session_; }
  net::ClientConnection& connection() { return connection_; }
  // Where the running command answers, in its place in the order.
  cache::ReplyBuilder& reply() { return session_.OrderedReply(); }
  // The row of the running command (a subcommand's own).
  const cache::CommandSpec& command() const { return *running_; }

  // Answers later: `answer` is called on this thread with the builder, unless the client is gone by
  // then. The returned function may be called once, from a task on this shard's thread.
  using Answer = std::function<void(cache::ReplyBuilder&)>;
  std::function<void(Answer)> Defer();
  // As Defer, and no later command of this client runs before it (WAIT, DEBUG SLEEP). A change of
  // the node's role ends the wait with an error, unless the command has nothing to do with roles.
  enum class OnRoleChange { kUnblock, kKeepWaiting };
  std::function<void(Answer)> Block(OnRoleChange on_role_change = OnRoleChange::kUnblock);
  // What comes after Unblock() is dropped.
  // Answers the command that blocks with `error`; nothing if none does.
  void Unblock(std::string_view error);
  uint64_t id() const { return connection_.id(); }
  int protocol() const { return protocol_; }
  void set_protocol(int protocol);
  bool authenticated() const { return authenticated_; }
  void set_authenticated() { authenticated_ = true; }
  std::string_view name() const { return session_.name; }
  void set_name(std::string_view name) { session_.name = std::string(name); }
  bool no_evict = false;
  bool no_touch() const { return no_touch_; }
  void set_no_touch(bool no_touch);
  std::string library_name;
  std::string library_version;
  void ResetState();  // RESET.

  enum class ReplyMode { kOn, kOff, kSkipNext };
  void set_reply_mode(ReplyMode mode);
  // CLIENT REPLY SKIP: the command after the running one is not answered.
  void SkipNextReply();

  void CloseAfterReplies();
  // Closes now, or, for the client that runs the command itself, after its replies.
  void Kill();
  bool blocked() const { return blocked_; }

  // One line of CLIENT LIST, without the newline.
  std::string Describe() const;

  // The node's state changed (a pause ended, a sync completed): try again.
  void Resume();
  // The node is a primary now that was a replica, or the other way, or follows another.
  void OnRoleChanged();

  // What the connection asks of its reads; made at the first call.
  ReadDemands& demands();
  // The token of all that the connection has written.
  std::string WriteToken();

  // --- Replies that wait for their writes to be on a disk or with replicas. ---

  // What TIDE ACK chose for this connection; none: the node's setting holds.
  const std::optional<AckPolicy>& ack_policy() const { return ack_policy_; }
  // Requires: no command is under way.
  void set_ack_policy(std::optional<AckPolicy> policy);
  // The shard's settings have changed.
  void FollowAckSettings();
  // Those replies, and all output behind them.
  uint64_t held_bytes() const;
  bool holds_replies() const { return !held_.empty(); }
  const HeldReplies& held() const { return held_; }
  // Sends what `progress` lets go of; false if some is still held.
  bool ReleaseReplies(const AckProgress& progress, LatencyHistogram& waited);
  // Answers writes that have waited since `since_ns` or longer with what `error_of` says; returns
  // how many.
  using AckError = std::function<std::string(const AckNeed&)>;
  size_t FailReplies(int64_t since_ns, const AckProgress& progress, const AckError& error_of);

  // --- net::ConnectionHandler ---
  size_t OnCommands(net::ClientConnection& connection,
                    std::span<const net::ParsedCommand> batch) override;
  void OnProtocolError(net::ClientConnection& connection, std::string_view text) override;
  void OnEndOfInput(net::ClientConnection& connection) override;
  void OnClosed(net::ClientConnection& connection, net::CloseReason reason) override;

  // --- cache::SessionObserver ---
  void OnReplies() override;

 private:
  struct Resolved {
    const cache::CommandSpec* spec;  // Null: no such command.
    uint64_t key_hash;               // 0: no key.
    bool plain;                      // See ResolvedName.
  };
  // The command that was looked up last: the next is often the same.
  struct ResolvedName {
    uint64_t packed = 0;  // The name as the client wrote it; see Packed() in client.cc.
    size_t size = 0;
    const cache::CommandSpec* spec = nullptr;
    bool plain = false;  // A data command that needs no look at this node's role or at subcommands.
  };

  size_t TakeCommands(std::span<const net::ParsedCommand> batch);
  // Holds back the replies to what the session has written since the last call. Requires:
  // held_.following().
  void HoldReplies();
  // Replies may have to wait from here on, or need not any more.
  void FollowNeed(const AckNeed& need);
  void NoteCommand(bool is_write) {
    held_.OnCommand(resp_.muted() ? ReplyKind::kSilent
                    : is_write    ? ReplyKind::kWrite
                                  : ReplyKind::kRead);
  }

  void Resolve(cache::Args args, Resolved& resolved);
  const ResolvedName& Look(std::string_view name);
  void LookUp(std::string_view name);
  // Whether plain commands may go straight to the session, until a command of the server's own
  // runs.
  bool NothingSpecial();
  // Whether no further command may be taken now: OnReplies() or Resume() will come.
  bool MustWait();
  // False if the command must wait: nothing was done.
  bool Run(const Resolved& resolved, cache::Args args);
  // The row of the command (a subcommand's own), and its key's hash; null if it has been answered
  // with what is wrong with its form.
  const cache::CommandSpec* FindRow(const Resolved& resolved, cache::Args args, uint64_t& key_hash);
  void AnswerUnknown(cache::Args args);
  // Whether the command must wait although the session could take it.
  bool HeldBack(const cache::CommandSpec& spec);
  // Runs a write whose reply is to carry its token.
  void DispatchTracked(const cache::CommandSpec& spec, cache::Args args, uint64_t key_hash);
  void FinishTracked();
  bool tracking() const { return demands_ != nullptr && demands_->tracked_reply.has_value(); }
  // Whether a read must wait for the connection's token; asks to be resumed if so.
  bool AwaitsToken();
  // The error that keeps a read from showing what is too old; empty: none.
  std::string StaleError(const cache::CommandSpec& spec);
  // A read of data, as freshness sees it.
  bool IsDataRead(const cache::CommandSpec& spec);
  void RunServerCommand(const cache::CommandSpec& spec, ServerHandler handler, cache::Args args);
  // Answers the error that keeps `spec` from running, if there is one.
  bool Refuse(const cache::CommandSpec& spec);
  // CLIENT LIST's letters.
  std::string Flags() const;

  ShardNode& shard_;
  net::ClientConnection& connection_;
  RespReply resp_;
  cache::Session session_;
  HeldReplies held_;
  AckNeed need_;  // Of writes from now on.
  std::optional<AckPolicy> ack_policy_;
  std::unique_ptr<ReadDemands> demands_;  // Null: none.

  ResolvedName latest_name_;
  const cache::CommandSpec* running_ = nullptr;
  const cache::CommandSpec* last_command_ = nullptr;
  int protocol_ = 2;
  bool authenticated_ = false;
  bool no_touch_ = false;
  bool blocked_ = false;
  cache::Session::SlotId blocked_slot_ = 0;
  bool unblocks_ = false;  // The command that blocks ends with a change of role.
  bool closing_ = false;
  ReplyMode reply_mode_ = ReplyMode::kOn;
  bool skipping_ = false;  // The one command that kSkipNext is about has been started.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_CLIENT_H_
