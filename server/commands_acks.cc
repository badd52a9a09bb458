#include "server/commands_acks.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "cache/commands/errors.h"
#include "cache/commands/numbers.h"
#include "server/durability.h"
#include "server/node.h"

namespace tidemark::server {
namespace {

using cache::Args;
using cache::ReplyBuilder;
using replication::AckKind;

// As Redis says it; here a stop says it too.
constexpr std::string_view kUnblocked =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

// A whole number of milliseconds that is not negative; nothing if `reply` has the error.
std::optional<int64_t> TimeoutFrom(std::string_view text, ReplyBuilder& reply) {
  const std::optional<int64_t> timeout_ms = cache::ParseInteger(text);
  if (!timeout_ms) {
    reply.Error("ERR timeout is not an integer or out of range");
    return std::nullopt;
  }
  if (*timeout_ms < 0) {
    reply.Error("ERR timeout is negative");
    return std::nullopt;
  }
  return timeout_ms;
}

// WAITAOF under way: waits for this node's disk, or for replicas', or for both. It is on its
// client's thread, where the log's and the link's answers are posted to.
class AofWait final : public std::enable_shared_from_this<AofWait> {
 public:
  AofWait(Client& client, bool wants_local, int64_t wants_replicas, int64_t timeout_ms)
      : node_(client.node()),
        home_(client.shard().id()),
        target_(client.session().written()),
        wants_local_(wants_local),
        wants_replicas_(wants_replicas),
        timeout_ms_(timeout_ms),
        complete_(client.Block()) {}

  void Begin(Client& client) {
    NodeDurability* const durability = node_.durability();
    if (durability != nullptr && durability->started()) {
      local_ = IsLocal();
      if (wants_local_ && !local_) {
        durability->SyncThrough(target_, [self = shared_from_this()](const absl::Status& synced) {
          if (synced.ok()) self->AtHome([self] { self->Settle(); });
        });
      }
    }
    // Only the time: the number of replicas has its own.
    if (wants_local_ && !local_ && timeout_ms_ > 0) {
      client.shard().gate().AtTime(client.id(), timeout_ms_,
                                   [self = shared_from_this()] { self->Expire(); });
    }
    node_.replication().WaitFor(target_, AckKind::kDurable, wants_replicas_, timeout_ms_,
                                [self = shared_from_this()](int64_t count) {
                                  self->AtHome([self, count] { self->OnReplicas(count); });
                                });
  }

 private:
  void AtHome(std::function<void()> task) {
    node_.engine().Post(home_, [task = std::move(task)](cache::Shard&) { task(); });
  }
  bool IsLocal() const {
    Watermarks durable;
    node_.durability()->ReadDurable(&durable);
    for (size_t i = 0; i < target_.size(); ++i) {
      if (durable[i] < target_[i]) return false;
    }
    return true;
  }
  void OnReplicas(int64_t count) {
    if (count == NodeReplication::kUnblocked) {
      return complete_([](ReplyBuilder& reply) { reply.Error(kUnblocked); });
    }
    counted_ = true;
    count_ = count;
    Settle();
  }
  void Expire() {
    expired_ = true;
    Settle();
  }
  // Answers if what was asked for holds, or the time is up. Whoever counts replicas gives up by
  // itself then, with fewer than were wanted.
  void Settle() {
    if (!local_ && node_.durability() != nullptr) local_ = IsLocal();
    if (!counted_) return;
    if (local_ || !wants_local_ || expired_ || count_ < wants_replicas_) Answer();
  }
  // Only the first counts: the client is blocked no longer then.
  void Answer() {
    complete_([this](ReplyBuilder& reply) {
      reply.ArrayHeader(2);
      reply.Integer(local_ ? 1 : 0);
      reply.Integer(count_);
    });
  }

  Node& node_;
  const ShardId home_;
  const Watermarks target_;
  const bool wants_local_;
  const int64_t wants_replicas_;
  const int64_t timeout_ms_;
  const std::function<void(Client::Answer)> complete_;
  bool local_ = false;    // This node's disk has it.
  bool counted_ = false;  // So many replicas' disks have it:
  int64_t count_ = 0;
  bool expired_ = false;
};

void ShowPolicy(Client& client) {
  const bool own = client.ack_policy().has_value();
  const AckPolicy& policy = own ? *client.ack_policy() : client.shard().gate().node_policy();
  ReplyBuilder& reply = client.reply();
  reply.MapHeader(2);
  reply.Bulk("policy");
  reply.Bulk(ToString(policy));
  reply.Bulk("set_by");
  reply.Bulk(own ? "connection" : "node");
}

}  // namespace

void Wait(Client& client, Args args) {
  const std::optional<int64_t> replicas = cache::ParseInteger(args[1]);
  if (!replicas) return client.reply().Error(cache::kNotAnInteger);
  const std::optional<int64_t> timeout_ms = TimeoutFrom(args[2], client.reply());
  if (!timeout_ms) return;
  if (client.node().is_replica()) {
    return client.reply().Error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if "
        "a replica is configured to be writable (which is not the default) writes to replicas are "
        "just local and are not propagated.");
  }
  // Replies come on the link thread; the client's own thread gives them.
  client.node().replication().WaitFor(client.session().written(), AckKind::kApplied, *replicas,
                                      *timeout_ms,
                                      [&node = client.node(), home = client.shard().id(),
                                       complete = client.Block()](int64_t count) {
                                        node.engine().Post(home, [complete, count](cache::Shard&) {
                                          complete([count](ReplyBuilder& reply) {
                                            if (count == NodeReplication::kUnblocked)
                                              return reply.Error(kUnblocked);
                                            reply.Integer(count);
                                          });
                                        });
                                      });
}

void WaitAof(Client& client, Args args) {
  // Arguments are judged in Redis' order and words.
  const std::optional<int64_t> local = cache::ParseInteger(args[1]);
  if (!local) return client.reply().Error(cache::kNotAnInteger);
  if (*local < 0 || *local > 1) {
    return client.reply().Error("ERR value is out of range, value must between 0 and 1");
  }
  const std::optional<int64_t> replicas = cache::ParseInteger(args[2]);
  if (!replicas) return client.reply().Error(cache::kNotAnInteger);
  if (*replicas < 0) return client.reply().Error("ERR value is out of range, must be positive");
  const std::optional<int64_t> timeout_ms = TimeoutFrom(args[3], client.reply());
  if (!timeout_ms) return;
  if (client.node().is_replica()) {
    return client.reply().Error(
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes to "
        "replicas are just local and are not propagated.");
  }
  if (*local == 1 && client.node().durability() == nullptr) {
    return client.reply().Error(
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  std::make_shared<AofWait>(client, *local == 1, *replicas, *timeout_ms)->Begin(client);
}

void TideAck(Client& client, Args args) {
  if (args.size() == 2) return ShowPolicy(client);
  if (args.size() > 3) return client.reply().Error(cache::kSyntaxError);
  if (EqualsIgnoreCase(args[2], "default")) {
    client.set_ack_policy(std::nullopt);
    return client.reply().Ok();
  }
  const std::optional<AckPolicy> policy = ParseAckPolicy(args[2]);
  if (!policy) {
    return client.reply().Error(fmt::format("ERR TIDE ACK takes {}, or DEFAULT", kAckPolicyForms));
  }
  const Settings& settings = client.node().settings();
  const std::string_view why = WhyNotAck(*policy, client.node().durability() != nullptr,
                                         settings.Choice<Fsync>(Setting::kFsync) == Fsync::kNever);
  if (!why.empty()) return client.reply().Error(fmt::format("ERR {}", why));
  client.set_ack_policy(policy);
  client.reply().Ok();
}

}  // namespace tidemark::server
