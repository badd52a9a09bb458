#include "cache/client.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/key_hash.h"
#include "cache/reply_tape.h"
#include "cache/session.h"

namespace tidemark::cache {
namespace {

constexpr std::string_view kStopped = "ERR the engine has stopped";

// A command and whoever waits for its answer. One that is dropped unanswered answers that the
// engine has stopped, since nothing else drops one.
class PendingCall {
 public:
  PendingCall(std::vector<std::string> args, Client::Callback done)
      : args(std::move(args)), done_(std::move(done)) {}
  PendingCall(PendingCall&& other) noexcept
      : spec(other.spec),
        key_hash(other.key_hash),
        args(std::move(other.args)),
        done_(std::exchange(other.done_, nullptr)) {}
  PendingCall& operator=(PendingCall&&) = delete;
  ~PendingCall() { Answer(Value::Error(kStopped)); }

  void Answer(Value value) {
    if (Client::Callback done = std::exchange(done_, nullptr)) done(std::move(value));
  }

  const CommandSpec* spec = nullptr;
  uint64_t key_hash = 0;
  std::vector<std::string> args;

 private:
  Client::Callback done_;
};

// Makes an error reply of the command table's into a value.
template <typename Write>
Value ErrorValue(Write&& write) {
  std::optional<Value> result;
  ValueBuilder builder([&](Value value) { result = std::move(value); });
  write(builder);
  return std::move(*result);
}

}  // namespace

// The client's session on one shard.
class Client::Port final : public SessionObserver {
 public:
  explicit Port(Shard& shard)
      : builder_([this](Value value) { TakeReply(std::move(value)); }),
        session_(shard, builder_, *this) {}

  void Run(PendingCall call) {
    waiting_.push_back(std::move(call));
    DispatchWaiting();
  }

  void OnReplies() override { DispatchWaiting(); }

 private:
  void DispatchWaiting() {
    while (!waiting_.empty() && session_.ready()) {
      running_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      PendingCall& call = running_.back();
      // The reply may come, and end the call, while the command still reads its arguments.
      const std::vector<std::string> held = std::move(call.args);
      const std::vector<std::string_view> args(held.begin(), held.end());
      session_.Dispatch(*call.spec, args, call.key_hash);
    }
  }

  void TakeReply(Value value) {
    // Replies come in the order of the commands.
    PendingCall call = std::move(running_.front());
    running_.pop_front();
    call.Answer(std::move(value));
  }

  std::deque<PendingCall> waiting_;  // Until the session is ready.
  std::deque<PendingCall> running_;
  ValueBuilder builder_;
  Session session_;
};

Client::Client(Engine& engine) : engine_(engine) {
  for (int i = 0; i < engine.shard_count(); ++i) {
    ports_.push_back(std::make_unique<Port>(engine.shard(ShardId(static_cast<uint16_t>(i)))));
  }
}

Client::~Client() {
  // A session dies where it lived. If the engine has stopped, the task and the port with it die
  // here.
  for (size_t i = 0; i < ports_.size(); ++i) {
    engine_.Post(ShardId(static_cast<uint16_t>(i)),
                 [port = std::move(ports_[i])](Shard&) mutable { port.reset(); });
  }
}

void Client::CallAsync(std::vector<std::string> args, Callback done) {
  PendingCall call(std::move(args), std::move(done));
  const std::vector<std::string_view> views(call.args.begin(), call.args.end());
  const CommandSpec* spec = views.empty() ? nullptr : engine_.commands().Find(views[0]);
  if (spec != nullptr && !spec->subcommands.empty()) {
    const CommandSpec* const container = spec;
    spec = CommandTable::FindSubcommand(*container, views);
    if (spec == nullptr) {
      return call.Answer(
          ErrorValue([&](ReplyBuilder& reply) { UnknownSubcommand(*container, views, reply); }));
    }
  }
  if (spec == nullptr || spec->handler == nullptr) {
    return call.Answer(ErrorValue([&](ReplyBuilder& reply) { UnknownCommand(views, reply); }));
  }
  if (!spec->ArityFits(views.size())) {
    return call.Answer(ErrorValue([&](ReplyBuilder& reply) { WrongArity(*spec, reply); }));
  }
  ShardId shard(0);
  if (spec->keys.first > 0) {
    const std::string_view key = views[static_cast<size_t>(spec->keys.first)];
    call.key_hash = KeyHash(key);
    shard = engine_.OwnerOf(key, call.key_hash);
  }
  call.spec = spec;
  engine_.Post(shard, [port = ports_[shard.value()].get(), call = std::move(call)](Shard&) mutable {
    port->Run(std::move(call));
  });
}

Value Client::Call(std::vector<std::string> args) {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<Value> result;
  CallAsync(std::move(args), [&](Value value) {
    std::lock_guard lock(mutex);
    result = std::move(value);
    answered.notify_one();  // Under the lock: the condition dies once the caller has the result.
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return result.has_value(); });
  return std::move(*result);
}

}  // namespace tidemark::cache
