// What tests see of a keyspace: its state as a plain map, the mutations that it mints, and what a
// walk shows.

#ifndef TIDEMARK_CACHE_KEYSPACE_RECORDER_H_
#define TIDEMARK_CACHE_KEYSPACE_RECORDER_H_

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/keyspace.h"
#include "cache/mutation_sink.h"

namespace tidemark::cache {

// "1700000000000", and with extras " idle 5 stale 7 hard 1690000000000".
inline std::string ToText(const Expiry& expiry) {
  std::string text = std::to_string(expiry.at_ms);
  const TtlExtras& extras = expiry.extras;
  if (extras.idle_ms != 0) text += " idle " + std::to_string(extras.idle_ms);
  if (extras.stale_ms != 0) text += " stale " + std::to_string(extras.stale_ms);
  if (extras.hard_at_ms != 0) text += " hard " + std::to_string(extras.hard_at_ms);
  return text;
}

struct StoredValue {
  std::string value;
  Expiry expiry;

  friend bool operator==(const StoredValue&, const StoredValue&) = default;
  friend std::ostream& operator<<(std::ostream& os, const StoredValue& stored) {
    return os << '"' << stored.value.substr(0, 40) << "\" (" << stored.value.size() << " bytes) @"
              << ToText(stored.expiry);
  }
};

using State = std::map<std::string, StoredValue>;

inline StoredValue StoredValueOf(const Entry& entry) {
  return {std::string(entry.value()), entry.expiry()};
}

// Keeps what a walk shows; counts what it shows twice.
class WalkRecorder final : public WalkVisitor {
 public:
  void OnEntry(const Entry& entry) override {
    const bool inserted = seen_.emplace(entry.key(), StoredValueOf(entry)).second;
    if (!inserted) ++repeats_;
  }
  // Later than its turn, but as it was.
  void OnLateEntry(const Entry& entry, const Entry* now) override {
    ++late_;
    OnEntry(entry);
  }
  void OnUnreadable(const Entry& entry, const absl::Status& why) override { ++unreadable_; }
  const State& seen() const { return seen_; }
  int late() const { return late_; }
  int unreadable() const { return unreadable_; }
  int repeats() const { return repeats_; }

 private:
  State seen_;
  int repeats_ = 0;
  int late_ = 0;
  int unreadable_ = 0;
};

// Everything that is physically present. Begins and completes a walk.
inline State StateOf(Keyspace& keyspace) {
  WalkRecorder recorder;
  keyspace.BeginWalk(&recorder);
  while (!keyspace.WalkSome(1000)) {
  }
  return recorder.seen();
}

// Applies every mutation to a map, as a replica would, and can tell each in words.
class MutationRecorder final : public MutationSink {
 public:
  void Set(std::string_view key, std::string_view value, const Expiry& expiry) override {
    Log("SET", key, std::string(value) + " @" + ToText(expiry));
    replica_[std::string(key)] = {std::string(value), expiry};
  }
  void Delete(std::string_view key, DeleteCause cause) override {
    static constexpr std::string_view kCauses[] = {"command", "expired", "evicted"};
    Log("DELETE", key, kCauses[static_cast<int>(cause)]);
    replica_.erase(std::string(key));
  }
  void Expire(std::string_view key, const Expiry& expiry) override {
    Log("EXPIRE", key, "@" + ToText(expiry));
    replica_.at(std::string(key)).expiry = expiry;
  }
  void SetRange(std::string_view key, uint64_t offset, std::string_view bytes) override {
    Log("SETRANGE", key, std::to_string(offset) + " " + std::string(bytes));
    std::string& value = replica_[std::string(key)].value;
    if (value.size() < offset + bytes.size()) value.resize(offset + bytes.size());
    value.replace(offset, bytes.size(), bytes);
  }
  void Flush() override {
    Log("FLUSH", "", "");
    replica_.clear();
  }
  void BeginTransaction(const TransactionInfo&) override {}
  void EndTransaction() override {}
  Sequence assigned() const override { return Sequence(count_); }

  uint64_t count() const { return count_; }
  const State& replica() const { return replica_; }
  // The mutations since the last call, as "SET key value @expiry".
  std::vector<std::string> TakeLog() { return std::exchange(log_, {}); }
  // Long random runs keep the map only.
  void set_keep_log(bool keep) { keep_log_ = keep; }

 private:
  void Log(std::string_view verb, std::string_view key, std::string_view rest) {
    ++count_;
    if (!keep_log_) return;
    std::string line(verb);
    if (!key.empty()) line.append(" ").append(key);
    if (!rest.empty()) line.append(" ").append(rest);
    log_.push_back(std::move(line));
  }

  uint64_t count_ = 0;
  bool keep_log_ = true;
  std::vector<std::string> log_;
  State replica_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_KEYSPACE_RECORDER_H_
