// FakeTier is a disk tier in memory whose answers come when, and in the order that, a test says.
//
// It is strict: whoever frees a location twice, or reads one that is neither live nor pinned, fails
// the test.

#ifndef TIDEMARK_CACHE_FAKE_TIER_H_
#define TIDEMARK_CACHE_FAKE_TIER_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/buffer.h"
#include "tier/tier_front.h"

namespace tidemark::cache {

class FakeTier final : public tier::TierFront {
 public:
  using Location = tier::ValueLocation;

  void Attach(tier::TierOwner* owner) override { owner_ = owner; }

  tier::WriteResult Write(const tier::WriteRequest& request) override {
    if (refuse_writes_ != tier::WriteOutcome::kQueued) return {.outcome = refuse_writes_};
    writes_.push_back({std::string(request.key), std::string(request.value), ++tickets_});
    return {.outcome = tier::WriteOutcome::kQueued, .ticket = tier::WriteTicket(tickets_)};
  }

  absl::Status Read(std::string_view key, Location at, tier::ReadDone done) override {
    if (reads_.size() >= max_reads_) return absl::ResourceExhaustedError("too many reads");
    reads_.push_back({std::string(key), at, std::move(done), Pin(at)});
    ++reads_begun_;
    return absl::OkStatus();
  }

  std::optional<absl::StatusOr<tier::ReadValue>> ReadIfCached(std::string_view key,
                                                              Location at) override {
    ++cached_asked_;
    if (!cached_(key)) return std::nullopt;
    return Fetch(key, at);
  }

  absl::StatusOr<tier::ReadValue> ReadNow(std::string_view key, Location at) override {
    return Fetch(key, at);
  }

  tier::TierPin Pin(Location at) override {
    const auto it = values_.find(Number(at));
    if (it == values_.end()) return nullptr;
    ++it->second.pins;
    return tier::TierPin(this, [this, at](const void*) {
      const auto pinned = values_.find(Number(at));
      --pinned->second.pins;
      Forget(pinned);
    });
  }

  void Free(Location at) override {
    const auto it = values_.find(Number(at));
    ASSERT_TRUE(it != values_.end() && it->second.live) << "freed twice: " << at.segment;
    it->second.live = false;
    --live_;
    Forget(it);
  }

  // --- For tests. ---

  // Puts a value there without a write, as if it had been demoted.
  Location Put(std::string_view key, std::string_view value) {
    const Location at{.segment = ++next_segment_, .offset = 0, .bytes = 64};
    values_[Number(at)] = {.key = std::string(key), .value = std::string(value)};
    ++live_;
    return at;
  }
  // Completes the oldest write or read; false if there is none.
  bool FinishWrite() {
    if (writes_.empty()) return false;
    const Writing write = std::move(writes_.front());
    writes_.pop_front();
    const tier::WriteTicket ticket(write.ticket);
    if (fail_writes_) {
      owner_->NotWritten(write.key, ticket, absl::InternalError("no disk"));
      return true;
    }
    const Location at = Put(write.key, write.value);
    if (!owner_->Written(write.key, ticket, at)) Free(at);
    return true;
  }
  bool FinishRead(size_t which = 0) {
    if (reads_.size() <= which) return false;
    Reading read = std::move(reads_[which]);
    reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(which));
    read.done(Moved(read.at), Fetch(read.key, read.at));
    return true;
  }
  void FinishAll() {
    while (FinishWrite() || FinishRead()) {
    }
  }
  // Moves the value as a reclaimer would. False: nobody holds it.
  bool Reclaim(Location from) {
    const Stored stored = values_.at(Number(from));
    if (!stored.live || !owner_->IsAt(stored.key, from)) return false;
    const Location to = Put(stored.key, stored.value);
    if (!owner_->Moved(stored.key, from, to)) {
      Free(to);
      return false;
    }
    moved_[Number(from)] = to;
    Free(from);
    return true;
  }
  // From now on the value at `at` cannot be read.
  void Damage(Location at) { values_.at(Number(at)).damaged = true; }
  void set_fail_writes(bool fail) { fail_writes_ = fail; }
  void set_refuse_writes(tier::WriteOutcome outcome) { refuse_writes_ = outcome; }
  // Which keys' values are read without waiting; none, if nothing is said.
  void set_cached(std::function<bool(std::string_view key)> cached) { cached_ = std::move(cached); }
  void set_max_reads(size_t reads) { max_reads_ = reads; }

  // Locations that somebody holds.
  size_t live() const { return live_; }
  // Bytes on disk: live ones and those that only a pin keeps.
  size_t kept() const { return values_.size(); }
  size_t reads_under_way() const { return reads_.size(); }
  size_t writes_under_way() const { return writes_.size(); }
  uint64_t reads_begun() const { return reads_begun_; }
  uint64_t cached_asked() const { return cached_asked_; }
  Location LastPut() const { return {.segment = next_segment_, .offset = 0, .bytes = 64}; }

 private:
  struct Stored {
    std::string key;
    std::string value;
    bool live = true;
    int pins = 0;
    bool damaged = false;
  };
  struct Writing {
    std::string key;
    std::string value;
    uint64_t ticket = 0;
  };
  struct Reading {
    std::string key;
    Location at;
    tier::ReadDone done;
    tier::TierPin pin;  // The file stays open while it is read.
  };

  static uint32_t Number(Location at) { return at.segment; }
  Location Moved(Location at) const {
    const auto it = moved_.find(Number(at));
    return it == moved_.end() ? at : Moved(it->second);
  }
  absl::StatusOr<tier::ReadValue> Fetch(std::string_view key, Location at) const {
    const auto it = values_.find(Number(at));
    if (it == values_.end()) return absl::NotFoundError("freed");
    if (it->second.damaged || it->second.key != key) return absl::DataLossError("damaged");
    BufferRef buffer = Buffer::Copy(it->second.value);
    const std::string_view bytes = buffer->view();
    return tier::ReadValue{.owner = std::move(buffer), .bytes = bytes};
  }
  void Forget(std::map<uint32_t, Stored>::iterator it) {
    if (!it->second.live && it->second.pins == 0) values_.erase(it);
  }

  tier::TierOwner* owner_ = nullptr;
  std::map<uint32_t, Stored> values_;  // By segment: each holds one value.
  std::map<uint32_t, Location> moved_;
  std::deque<Writing> writes_;
  std::deque<Reading> reads_;
  size_t live_ = 0;
  uint64_t tickets_ = 0;
  uint32_t next_segment_ = 0;
  uint64_t reads_begun_ = 0;
  uint64_t cached_asked_ = 0;
  std::function<bool(std::string_view key)> cached_ = [](std::string_view) { return false; };
  size_t max_reads_ = 1'000'000;
  bool fail_writes_ = false;
  tier::WriteOutcome refuse_writes_ = tier::WriteOutcome::kQueued;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_FAKE_TIER_H_
