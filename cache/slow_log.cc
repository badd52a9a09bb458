#include "cache/slow_log.h"

#include <algorithm>

#include "fmt/format.h"

namespace tidemark::cache {
namespace {

std::string Shortened(std::string_view arg) {
  if (arg.size() <= SlowLog::kMaxArgBytes) return std::string(arg);
  return fmt::format("{}... ({} more bytes)", arg.substr(0, SlowLog::kMaxArgBytes),
                     arg.size() - SlowLog::kMaxArgBytes);
}

}  // namespace

SlowLog::SlowLog(ShardId shard) : next_id_(uint64_t{shard.value()} << kShardShift) {
  set_threshold_us(threshold_us_);
}

void SlowLog::set_threshold_us(int64_t threshold_us) {
  threshold_us_ = threshold_us;
  // Strictly longer in whole microseconds, as SLOWLOG shows them.
  wanted_nanos_ = threshold_us < 0    ? kNever
                  : threshold_us == 0 ? 0
                                      : (static_cast<uint64_t>(threshold_us) + 1) * 1000;
}

void SlowLog::set_max_length(size_t max_length) {
  max_length_ = max_length;
  if (entries_.size() > max_length_) entries_.resize(max_length_);
}

void SlowLog::Add(Args args, uint64_t nanos, int64_t now_ms, std::string_view client_address,
                  std::string_view client_name) {
  if (max_length_ == 0) return;
  Entry entry;
  entry.id = next_id_++;
  entry.unix_seconds = now_ms / 1000;
  entry.duration_us = static_cast<int64_t>(nanos / 1000);
  entry.client_address = client_address;
  entry.client_name = client_name;
  // The last place tells how many are missing.
  const size_t shown = args.size() <= kMaxArgs ? args.size() : kMaxArgs - 1;
  entry.args.reserve(std::min(args.size(), kMaxArgs));
  for (size_t i = 0; i < shown; ++i) entry.args.push_back(Shortened(args[i]));
  if (shown < args.size()) {
    entry.args.push_back(fmt::format("... ({} more arguments)", args.size() - shown));
  }
  entries_.push_front(std::move(entry));
  if (entries_.size() > max_length_) entries_.pop_back();
}

}  // namespace tidemark::cache
