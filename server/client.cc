#include "server/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/key_hash.h"
#include "base/log/log.h"
#include "base/text.h"
#include "cache/commands/errors.h"
#include "server/durability.h"
#include "server/node.h"
#include "server/shard_node.h"

namespace tidemark::server {
namespace {

// A name of 1 to 8 bytes as one number, different for different names of one length; 0 for any
// other. Two overlapping loads cover it.
template <typename Half>
uint64_t Ends(std::string_view name) {
  Half first;
  Half last;
  std::memcpy(&first, name.data(), sizeof(Half));
  std::memcpy(&last, name.data() + name.size() - sizeof(Half), sizeof(Half));
  return uint64_t{last} << 32 | first;
}
uint64_t Packed(std::string_view name) {
  if (name.size() >= 4 && name.size() <= 8) return Ends<uint32_t>(name);
  if (name.size() == 2 || name.size() == 3) return Ends<uint16_t>(name);
  return 0;
}

}  // namespace

Client::Client(ShardNode& shard, net::ClientConnection& connection)
    : shard_(shard),
      connection_(connection),
      resp_(connection.writer(), shard.errors()),
      session_(shard.shard(), resp_, *this),
      authenticated_(!shard.node().password().required()) {
  session_.address = connection.address();
  if (!authenticated_) connection.set_trust(net::RespParser::Options::Trust::kUnauthenticated);
  FollowAckSettings();
}

Client::~Client() = default;

Node& Client::node() { return shard_.node(); }

void Client::set_protocol(int protocol) {
  protocol_ = protocol;
  connection_.writer().set_protocol(static_cast<net::RespWriter::Protocol>(protocol));
}

void Client::set_no_touch(bool no_touch) {
  no_touch_ = no_touch;
  session_.set_no_touch(no_touch);
}

void Client::ResetState() {
  set_protocol(2);
  set_name("");
  set_no_touch(false);
  set_reply_mode(ReplyMode::kOn);
  no_evict = false;
  demands_.reset();
  set_ack_policy(std::nullopt);
  authenticated_ = !node().password().required();
}

void Client::set_reply_mode(ReplyMode mode) {
  reply_mode_ = mode;
  skipping_ = false;
  resp_.set_muted(mode != ReplyMode::kOn);
}

void Client::SkipNextReply() {
  if (reply_mode_ != ReplyMode::kOff) set_reply_mode(ReplyMode::kSkipNext);
}

std::function<void(Client::Answer)> Client::Defer() {
  const cache::Session::SlotId slot = session_.OpenSlot();
  // The client may be gone by then: it is looked up again.
  return [&shard = shard_, id = id(), slot](const Answer& answer) {
    if (Client* client = shard.FindClient(id)) client->session_.CompleteSlot(slot, answer);
  };
}

std::function<void(Client::Answer)> Client::Block(OnRoleChange on_role_change) {
  blocked_ = true;
  blocked_slot_ = session_.OpenSlot();
  unblocks_ = on_role_change == OnRoleChange::kUnblock;
  return [&shard = shard_, id = id(), slot = blocked_slot_](const Answer& answer) {
    Client* client = shard.FindClient(id);
    if (client == nullptr || !client->blocked_ || client->blocked_slot_ != slot) return;
    client->blocked_ = false;
    client->session_.CompleteSlot(slot, answer);
  };
}

void Client::OnRoleChanged() {
  latest_name_ = {};
  session_.ForgetWritten();
  if (unblocks_) {
    Unblock(
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> "
        "replica?)");
  }
  Resume();
}

void Client::Unblock(std::string_view error) {
  if (!std::exchange(blocked_, false)) return;
  session_.CompleteSlot(blocked_slot_, [error](cache::ReplyBuilder& reply) { reply.Error(error); });
}

void Client::CloseAfterReplies() {
  closing_ = true;
  if (session_.pending() == 0) connection_.CloseAfterReply();
}

void Client::Kill() {
  closing_ = true;
  if (running_ != nullptr) return CloseAfterReplies();
  connection_.Close(net::CloseReason::kReply);
}

void Client::Resume() { connection_.Resume(); }

const Client::ResolvedName& Client::Look(std::string_view name) {
  const uint64_t packed = Packed(name);
  if (packed == 0 || packed != latest_name_.packed || name.size() != latest_name_.size) {
    LookUp(name);
    latest_name_.packed = packed;
    latest_name_.size = name.size();
  }
  return latest_name_;
}

void Client::LookUp(std::string_view name) {
  const cache::CommandSpec* spec = node().commands().Find(name);
  latest_name_.spec = spec;
  latest_name_.plain = spec != nullptr && spec->subcommands.empty() &&
                       node().table().HandlerOf(*spec) == nullptr &&
                       !(spec->is_write() && node().is_replica());
}

void Client::Resolve(cache::Args args, Resolved& resolved) {
  const ResolvedName& name = Look(args[0]);
  resolved.spec = name.spec;
  resolved.key_hash = 0;
  resolved.plain = name.plain && name.spec->ArityFits(args.size());
  if (name.spec == nullptr) return;
  const size_t first_key = static_cast<size_t>(name.spec->keys.first);
  if (first_key == 0 || first_key >= args.size()) return;
  resolved.key_hash = KeyHash(args[first_key]);
  // A hint only: the key may be another shard's.
  shard_.keyspace().PrefetchBucket(resolved.key_hash);
}

bool Client::NothingSpecial() {
  return authenticated_ && reply_mode_ == ReplyMode::kOn && !blocked_ && !closing_ &&
         node().serving() && !node().pause_gate().paused(shard_.now_ms()) &&
         !shard_.pressure_acts() && !node().WritesRefused(shard_.id()) && demands_ == nullptr &&
         !shard_.staleness_bounds().any();
}

size_t Client::OnCommands(net::ClientConnection&, std::span<const net::ParsedCommand> batch) {
  if (held_.full()) [[unlikely]]
    return 0;  // ReleaseReplies() or FailReplies() resumes.
  const size_t taken = TakeCommands(batch);
  if (held_.following()) [[unlikely]]
    HoldReplies();
  return taken;
}

void Client::HoldReplies() {
  const bool was_holding = holds_replies();
  held_.Note(connection_.output_position(), session_.pending(), session_.written(), need_,
             connection_.loop().now_ns());
  if (!holds_replies()) return;
  if (need_.own_disk) shard_.gate().WantOwnDisk(session_.written());
  if (was_holding) return;
  connection_.set_send_limit(held_.limit());
  shard_.gate().OnHolding(id());
}

void Client::FollowNeed(const AckNeed& need) {
  if (held_.following()) HoldReplies();  // What has run by now goes by what was needed then.
  need_ = need;
  if (!need_.none() && !held_.following()) {
    held_.Begin(connection_.output_position(), session_.pending(), session_.written());
  }
}

void Client::set_ack_policy(std::optional<AckPolicy> policy) {
  ack_policy_ = policy;
  FollowAckSettings();
}

void Client::FollowAckSettings() { FollowNeed(shard_.gate().NeedOf(ack_policy_)); }

bool Client::ReleaseReplies(const AckProgress& progress, LatencyHistogram& waited) {
  const bool was_full = held_.full();
  if (held_.Release(progress, connection_.loop().now_ns(), &waited)) {
    connection_.set_send_limit(held_.limit());
    connection_.MarkDirty();
  }
  if (was_full && !held_.full()) connection_.Resume();
  return !holds_replies();
}

size_t Client::FailReplies(int64_t since_ns, const AckProgress& progress,
                           const AckError& error_of) {
  if (!held_.HasOverdue(since_ns)) return 0;
  HoldReplies();  // So that all of the output is accounted for.
  const bool was_full = held_.full();
  net::OutputBuffer& output = connection_.output();
  const uint64_t position = connection_.output_position();
  const std::string taken = output.TakeFrom(output.size() - (position - held_.limit()));
  net::RespWriter& writer = connection_.writer();
  const size_t failed =
      held_.Fail(since_ns, progress, taken, [&](std::string_view bytes, const AckNeed* need) {
        const size_t before = output.size();
        if (need == nullptr) {
          output.Append(bytes);
        } else {
          const std::string error = error_of(*need);
          shard_.errors().Count(error);
          writer.Error(error);
        }
        return output.size() - before;
      });
  connection_.set_send_limit(held_.limit());
  connection_.MarkDirty();
  if (was_full && !held_.full()) connection_.Resume();
  return failed;
}

uint64_t Client::held_bytes() const {
  return connection_.output_position() - std::min(connection_.output_position(), held_.limit());
}

size_t Client::TakeCommands(std::span<const net::ParsedCommand> batch) {
  // Three passes, so that the cache misses of one batch overlap: buckets, then entries, then the
  // commands.
  Resolved resolved[net::CommandBatch::kMaxCommands];
  for (size_t i = 0; i < batch.size(); ++i) Resolve(batch[i].args, resolved[i]);
  if (batch.size() > 1) {
    for (size_t i = 0; i < batch.size(); ++i) {
      if (resolved[i].key_hash != 0) shard_.keyspace().PrefetchEntry(resolved[i].key_hash);
    }
  }
  shard_.shard().StartTiming();
  bool nothing_special = NothingSpecial();
  for (size_t i = 0; i < batch.size(); ++i) {
    if (nothing_special && resolved[i].plain) [[likely]] {
      if (!session_.ready()) return i;
      last_command_ = resolved[i].spec;
      session_.Dispatch(*resolved[i].spec, batch[i].args, resolved[i].key_hash);
      if (held_.following()) [[unlikely]]
        NoteCommand(resolved[i].spec->is_write());
      continue;
    }
    if (closing_ || !Run(resolved[i], batch[i].args)) return i;
    if (held_.following()) NoteCommand(resolved[i].spec != nullptr && resolved[i].spec->is_write());
    nothing_special = NothingSpecial();
  }
  return batch.size();
}

bool Client::MustWait() {
  if (blocked_ || !session_.ready() || tracking()) return true;
  if (skipping_) [[unlikely]] {
    if (session_.pending() > 0) return true;
    set_reply_mode(ReplyMode::kOn);
  }
  return false;
}

bool Client::Run(const Resolved& resolved, cache::Args args) {
  if (MustWait()) return false;
  uint64_t key_hash = resolved.key_hash;
  const cache::CommandSpec* spec = FindRow(resolved, args, key_hash);
  if (spec != nullptr && HeldBack(*spec)) return false;
  // Cleared again by CLIENT REPLY SKIP, which is about the command after it.
  skipping_ = reply_mode_ == ReplyMode::kSkipNext;
  if (spec == nullptr || Refuse(*spec)) return true;

  last_command_ = spec;
  if (const ServerHandler handler = node().table().HandlerOf(*spec); handler != nullptr) {
    RunServerCommand(*spec, handler, args);
  } else if (demands_ != nullptr && demands_->tracks_writes && spec->is_write()) {
    DispatchTracked(*spec, args, key_hash);
  } else {
    session_.Dispatch(*spec, args, key_hash);
  }
  return true;
}

const cache::CommandSpec* Client::FindRow(const Resolved& resolved, cache::Args args,
                                          uint64_t& key_hash) {
  const cache::CommandSpec* spec = resolved.spec;
  if (spec == nullptr) {
    AnswerUnknown(args);
    return nullptr;
  }
  if (!spec->subcommands.empty() && args.size() > 1) {
    const cache::CommandSpec* sub = cache::CommandTable::FindSubcommand(*spec, args);
    if (sub == nullptr) {
      cache::UnknownSubcommand(*spec, args, session_.OrderedReply());
      return nullptr;
    }
    if (sub != spec && sub->keys.first > 0 && static_cast<size_t>(sub->keys.first) < args.size()) {
      key_hash = KeyHash(args[static_cast<size_t>(sub->keys.first)]);
    }
    spec = sub;
  }
  if (!spec->ArityFits(args.size())) {
    cache::WrongArity(*spec, session_.OrderedReply());
    return nullptr;
  }
  return spec;
}

void Client::AnswerUnknown(cache::Args args) {
  // A page in somebody's browser may send a request to any address, and what its body holds would
  // be read as commands. As Redis does, end the conversation where HTTP shows.
  if (EqualsIgnoreCase(args[0], "post") || EqualsIgnoreCase(args[0], "host:")) {
    Log(LogLevel::kDebug, fmt::format("{} speaks HTTP and is disconnected", connection_.address()));
    closing_ = true;
    return connection_.Close(net::CloseReason::kProtocolError);
  }
  cache::UnknownCommand(args, session_.OrderedReply());
}

bool Client::HeldBack(const cache::CommandSpec& spec) {
  if (node().pause_gate().Holds(spec.is_write(), shard_.now_ms()) &&
      (spec.flags & cache::kAdmin) == 0) {
    shard_.ResumeAfterPause();
    return true;
  }
  const bool data = node().table().HandlerOf(spec) == nullptr;
  if (data && spec.is_write() && shard_.pressure_acts() && shard_.DelaysWrite(spec)) return true;
  if (demands_ != nullptr) {
    if (IsDataRead(spec) && AwaitsToken()) return true;
    if (demands_->tracks_writes && spec.is_write() && session_.pending() > 0) return true;
  }
  if (spec.handler != nullptr || session_.pending() == 0) return false;
  // What is muted, and what is not, must not overlap, nor what waits for acknowledgements; a token
  // is of what was answered.
  return spec.name == "client|reply" || spec.name == "tide|ack" || spec.name == "tide|token" ||
         spec.name == "reset";
}

void Client::RunServerCommand(const cache::CommandSpec& spec, ServerHandler handler,
                              cache::Args args) {
  const uint64_t errors_before = shard_.errors().total();
  running_ = &spec;
  handler(*this, args);
  running_ = nullptr;
  shard_.shard().Account(spec, args,
                         shard_.errors().total() == errors_before ? cache::Shard::Outcome::kAnswered
                                                                  : cache::Shard::Outcome::kFailed,
                         &session_);
}

bool Client::Refuse(const cache::CommandSpec& spec) {
  std::string_view error;
  std::string text;
  if (!authenticated_ && (spec.flags & cache::kNoAuth) == 0) {
    error = "NOAUTH Authentication required.";
  } else if (!node().serving() && (spec.flags & cache::kLoading) == 0) {
    error = "LOADING Redis is loading the dataset in memory";  // Clients know this text.
  } else if (spec.is_write() && node().is_replica()) {
    error = cache::kReadOnlyReplica;
  } else if (spec.is_write() && node().replication().WritesRefused(shard_.id())) {
    error =
        "MISCONF A write of this shard could not be encoded for its readers; writes are refused "
        "until "
        "the node is restarted. See its log.";
  } else if (spec.is_write() && node().LacksReplicas()) {
    error = "NOREPLICAS Not enough good replicas to write.";
    shard_.gate().OnRefused();
  } else if (spec.is_write() && node().durability() != nullptr && !node().durability()->writing()) {
    text = fmt::format("MISCONF Errors writing to the AOF file: {}", node().durability()->cause());
    error = text;
  } else if (spec.is_write() && shard_.RefusesWrite(spec)) {
    shard_.CountBusyWrite();
    text = node().pressure().Refusal();
    error = text;
  } else if (text = StaleError(spec); !text.empty()) {
    shard_.CountStaleRead();
    error = text;
  } else {
    return false;
  }
  shard_.shard().command_stats().Reject(spec.id);
  session_.OrderedReply().Error(error);
  return true;
}

void Client::OnReplies() {
  if (tracking() && session_.pending() == 0) FinishTracked();
  if (held_.following()) [[unlikely]]
    HoldReplies();
  if (closing_ && session_.pending() == 0) return connection_.CloseAfterReply();
  connection_.MarkDirty();
  connection_.Resume();
}

void Client::OnProtocolError(net::ClientConnection&, std::string_view text) {
  session_.OrderedReply().Error(fmt::format("ERR {}", text));
  if (held_.following()) NoteCommand(false);
  CloseAfterReplies();
}

void Client::OnEndOfInput(net::ClientConnection&) { CloseAfterReplies(); }

void Client::OnClosed(net::ClientConnection&, net::CloseReason) { shard_.Bury(id()); }

std::string Client::Describe() const {
  const net::ClientConnection& c = connection_;
  const int64_t now_ms = shard_.now_ms();
  const int64_t idle_s = (connection_.loop().now_ns() - c.last_interaction_ns()) / 1'000'000'000;
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db=0 sub=0 psub=0 ssub=0 "
      "multi=-1 qbuf={} qbuf-free={} argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem={} "
      "tot-mem={} events={} cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={} held={}",
      id(), c.address(), c.local_address(), c.fd(), session_.name, (now_ms - c.created_ms()) / 1000,
      idle_s, Flags(), c.input_bytes(), c.input_memory_bytes() - c.input_bytes(), c.output_bytes(),
      c.memory_bytes() + sizeof(*this), c.output_bytes() > 0 ? "rw" : "r",
      last_command_ == nullptr ? "NULL" : last_command_->name, protocol_, library_name,
      library_version, held_bytes());
}

std::string Client::Flags() const {
  std::string flags;
  if (blocked_) flags += 'b';
  if (closing_) flags += 'c';
  if (no_evict) flags += 'e';
  if (no_touch_) flags += 'T';
  return flags.empty() ? "N" : flags;
}

}  // namespace tidemark::server
