#include "integration/chaos/chaos_clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

// Enough keys that no number of shards has them all on one.
constexpr int kGroupKeys = 6;
constexpr int kCounters = 2;
// How often a replica is asked whether it has caught up before its reader gives up.
constexpr int kTries = 50;
constexpr auto kABit = std::chrono::milliseconds(3);

int64_t NumberOf(const Reply& reply) {
  return reply.type == Reply::Type::kNil ? 0 : std::atoll(reply.text.c_str());
}

std::vector<std::string> KeysOf(const std::string& group) {
  std::vector<std::string> keys;
  for (int i = 0; i < kGroupKeys; ++i) keys.push_back(fmt::format("{}:{}", group, i));
  return keys;
}

bool Reached(const Vector& applied, const Vector& target) {
  return applied.size() == target.size() &&
         std::equal(applied.begin(), applied.end(), target.begin(), std::greater_equal<>());
}

}  // namespace

ChaosClients::ChaosClients(const Options& options) : options_(options), history_(options.promise) {
  using Kind = ClientHistory::Kind;
  for (int i = 0; i < options.writers; ++i) {
    registers_.push_back(history_.Add(fmt::format("register{}", i), Kind::kRegister));
    groups_.push_back(history_.Add(fmt::format("group{}", i), Kind::kRegister));
  }
  for (int i = 0; i < kCounters; ++i) {
    counters_.push_back(history_.Add(fmt::format("counter{}", i), Kind::kCounter));
  }
  for (int i = 0; i < options.writers; ++i) threads_.emplace_back([this, i] { Write(i); });
  for (size_t i = 0; i < options.replica_ports.size(); ++i) {
    threads_.emplace_back([this, i] { ReadReplica(i); });
  }
}

ChaosClients::~ChaosClients() { Stop(); }

// --- Pausing ---

void ChaosClients::Pause() {
  std::unique_lock lock(mutex_);
  paused_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return parked_ == threads_.size(); });
}

void ChaosClients::Resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  changed_.notify_all();
}

std::string ChaosClients::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return fault();
}

bool ChaosClients::Go(bool wait) {
  std::unique_lock lock(mutex_);
  if (wait) changed_.wait_for(lock, kABit, [this] { return stopping_ || paused_; });
  if (paused_ && !stopping_) {
    ++parked_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return stopping_ || !paused_; });
    --parked_;
  }
  return !stopping_;
}

void ChaosClients::Fail(std::string fault) {
  const std::lock_guard lock(mutex_);
  if (fault_.empty()) fault_ = std::move(fault);
}

std::string ChaosClients::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

int64_t ChaosClients::verified_reads() const {
  const std::lock_guard lock(mutex_);
  return verified_reads_;
}

int64_t ChaosClients::settled() const {
  const std::lock_guard lock(mutex_);
  return settled_;
}

// --- Commands ---

Reply ChaosClients::Link::Do(const std::vector<std::string>& command) {
  if (!client) client.emplace(port);
  Reply reply = client->Do(command);
  if (reply.type == Reply::Type::kLost) client.reset();
  return reply;
}

bool ChaosClients::Answered(const Reply& reply) {
  if (reply.type == Reply::Type::kLost) return false;
  if (reply.type != Reply::Type::kError) return true;
  // What a node says that has just begun, or that has no primary now.
  for (const char* passing : {"LOADING", "MASTERDOWN", "TRYAGAIN"}) {
    if (reply.text.starts_with(passing)) return false;
  }
  Fail("an error: " + reply.text);
  return false;
}

void ChaosClients::Write(int writer) {
  const size_t index = static_cast<size_t>(writer);
  std::mt19937_64 random(options_.seed * 1000 + index);
  Link primary{.port = options_.primary_port};
  bool answered = true;
  while (Go(/*wait=*/!answered)) {
    const uint64_t draw = random() % 10;
    size_t key = registers_[index];
    if (draw >= 4) key = counters_[random() % counters_.size()];
    if (draw >= 6) key = groups_[index];
    if (draw == 9) {
      CheckGroup(primary, random);
      continue;
    }
    if (draw == 8) {
      key = registers_[index];
      const int64_t floor = history_.acked(key);
      const Reply reply = primary.Do({"GET", history_.name(key)});
      answered = Answered(reply);
      if (!answered) continue;
      if (std::string wrong = history_.Judge(key, floor, NumberOf(reply)); !wrong.empty()) {
        Fail("on the primary, " + wrong);
      }
      continue;
    }
    const int64_t number = history_.Attempt(key);
    std::vector<std::string> command = {"SET", history_.name(key), std::to_string(number)};
    if (draw >= 4) command = {"INCR", history_.name(key)};
    if (draw >= 6) {
      command = {"MSET"};
      for (std::string& each : KeysOf(history_.name(key))) {
        command.push_back(std::move(each));
        command.push_back(std::to_string(number));
      }
    }
    answered = Answered(primary.Do(command));
    if (answered) history_.OnAcked(key, number);
  }
}

void ChaosClients::CheckGroup(Link& node, std::mt19937_64& random) {
  const std::string& group = history_.name(groups_[random() % groups_.size()]);
  std::vector<std::string> command = KeysOf(group);
  command.insert(command.begin(), "MGET");
  const Reply reply = node.Do(command);
  if (!Answered(reply)) return;
  for (const Reply& each : reply.elements) {
    if (each == reply.elements[0]) continue;
    return Fail(fmt::format("port {} shows half of a transaction: {} has {} beside {}", node.port,
                            group, NumberOf(reply.elements[0]), NumberOf(each)));
  }
}

void ChaosClients::ReadReplica(size_t index) {
  std::mt19937_64 random(options_.seed * 1000 + 500 + index);
  Link primary{.port = options_.primary_port};
  Link replica{.port = options_.replica_ports[index]};
  while (Go(/*wait=*/true)) {
    CheckGroup(replica, random);
    VerifyOneRead(primary, replica, random);
  }
}

void ChaosClients::VerifyOneRead(Link& primary, Link& replica, std::mt19937_64& random) {
  const size_t key = random() % history_.size();
  const bool is_group = std::find(groups_.begin(), groups_.end(), key) != groups_.end();
  const int64_t life = settled();
  const int64_t floor = history_.acked(key);
  const absl::StatusOr<WatermarksReport> target =
      ParseWatermarks(primary.Do({"TIDE", "WATERMARKS"}));
  if (!target.ok()) return;
  for (int i = 0; i < kTries; ++i) {
    if (i > 0 && !Go(/*wait=*/true)) return;
    // The target may be of a history that is no more, and the replica not know it yet.
    if (settled() != life) return;
    const absl::StatusOr<WatermarksReport> at = ParseWatermarks(replica.Do({"TIDE", "WATERMARKS"}));
    if (!at.ok()) return;
    if (at->history != target->history || !Reached(at->applied, target->assigned)) continue;
    const Reply reply = replica.Do({"GET", history_.name(key) + (is_group ? ":0" : "")});
    if (!Answered(reply)) return;
    if (std::string wrong = history_.Judge(key, floor, NumberOf(reply)); !wrong.empty()) {
      return Fail(fmt::format("on the replica of port {}, {}", replica.port, wrong));
    }
    const std::lock_guard lock(mutex_);
    ++verified_reads_;
    return;
  }
}

std::string ChaosClients::Settle() {
  RedisClient primary(options_.primary_port);
  for (size_t key = 0; key < history_.size(); ++key) {
    const bool is_group = std::find(groups_.begin(), groups_.end(), key) != groups_.end();
    const Reply reply = primary.Do({"GET", history_.name(key) + (is_group ? ":0" : "")});
    if (reply.is_error()) return "cannot settle: " + reply.text;
    if (std::string wrong = history_.Settle(key, NumberOf(reply)); !wrong.empty()) {
      return "after the primary's end, " + wrong;
    }
  }
  const std::lock_guard lock(mutex_);
  ++settled_;
  return "";
}

}  // namespace tidemark::integration
