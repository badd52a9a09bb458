#include "wal/consistent_cut.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace tidemark::wal {

struct ConsistentCut::Transaction {
  uint64_t id = 0;
  std::vector<ShardId> participants;  // Ascending.
  // By participant; 0: not added yet, for no sequence is 0.
  std::vector<uint64_t> firsts;
  size_t missing = 0;        // Of firsts.
  size_t pending = 0;        // Parts in parts_.
  uint64_t excluded_in = 0;  // The call of Cut() that last found it to be above the cut.
};

ConsistentCut::ConsistentCut(Watermarks base)
    : cut_(std::move(base)), added_(cut_), parts_(cut_.size()), unexamined_(cut_.size()) {}

ConsistentCut::~ConsistentCut() = default;

absl::Status ConsistentCut::Add(const Frame& frame) {
  const size_t shard = frame.shard().value();
  CHECK(shard < added_.size());
  if (frame.last_sequence() <= added_[shard]) return absl::OkStatus();  // Below the base.
  // The base may lie inside the first frame that is added; after that frames join without a gap.
  CHECK(frame.first_sequence() <= Next(added_[shard]));
  if (frame.has_transactions()) {
    RecordReader reader(frame);
    Record record;
    for (uint64_t sequence = frame.first_sequence().value();; ++sequence) {
      const absl::StatusOr<bool> more = reader.Next(&record);
      if (!more.ok()) return more.status();
      if (!*more) break;
      if (record.op != RecordOp::kTransaction || sequence <= added_[shard].value()) continue;
      const Part part{
          .first = sequence, .last = sequence + record.transaction_records, .transaction = nullptr};
      if (absl::Status s = AddPart(frame.shard(), part, record); !s.ok()) return s;
    }
  }
  added_[shard] = frame.last_sequence();
  return absl::OkStatus();
}

absl::Status ConsistentCut::AddPart(ShardId shard, const Part& part, const Record& marker) {
  const auto contradicts = [&](std::string_view how) {
    return absl::DataLossError(fmt::format("shard {}, sequence {}: transaction {:016x} {}",
                                           shard.value(), part.first, marker.transaction_id, how));
  };
  if (marker.participants.empty() || marker.participants.back().value() >= parts_.size()) {
    return contradicts("names shards that there are not");
  }
  std::unique_ptr<Transaction>& slot = transactions_[marker.transaction_id];
  if (slot == nullptr) {
    slot = std::make_unique<Transaction>();
    slot->id = marker.transaction_id;
    slot->participants = marker.participants;
    slot->firsts.resize(marker.participants.size());
    slot->missing = marker.participants.size();
    incomplete_.insert(slot.get());
  }
  Transaction& transaction = *slot;
  if (transaction.participants != marker.participants) {
    return contradicts("names other shards than its other parts do");
  }
  const auto place =
      std::lower_bound(transaction.participants.begin(), transaction.participants.end(), shard);
  if (place == transaction.participants.end() || *place != shard) {
    return contradicts("does not name the shard that it is of");
  }
  uint64_t& first =
      transaction.firsts[static_cast<size_t>(place - transaction.participants.begin())];
  if (first != 0) return contradicts(fmt::format("was at sequence {} before", first));
  first = part.first;
  if (--transaction.missing == 0) incomplete_.erase(&transaction);
  ++transaction.pending;
  ++pending_parts_;
  parts_[shard.value()].push_back(
      {.first = part.first, .last = part.last, .transaction = &transaction});
  return absl::OkStatus();
}

void ConsistentCut::Exclude(Transaction& transaction, Watermarks& cut) {
  if (transaction.excluded_in == call_) return;
  transaction.excluded_in = call_;
  for (size_t i = 0; i < transaction.participants.size(); ++i) {
    const ShardId shard = transaction.participants[i];
    if (transaction.firsts[i] == 0 || cut[shard.value()].value() < transaction.firsts[i]) continue;
    cut[shard.value()] = Sequence(transaction.firsts[i] - 1);
    lowered_.push_back(shard);
  }
}

Watermarks ConsistentCut::Cut(std::span<const Sequence> limit) {
  CHECK(limit.size() == cut_.size());
  Watermarks cut(cut_.size());
  ++call_;
  lowered_.clear();
  for (size_t i = 0; i < cut.size(); ++i) {
    cut[i] = std::max(cut_[i], std::min(limit[i], added_[i]));
    // All of them: whoever the limit splits or drops is found from its shard.
    lowered_.push_back(ShardId(static_cast<uint16_t>(i)));
    unexamined_[i] = parts_[i].size();
  }
  for (Transaction* transaction : incomplete_) Exclude(*transaction, cut);
  // Each round takes transactions out whose parts the cut no longer holds whole, which may lower
  // the cut elsewhere. The result does not depend on the order: it is the largest cut that holds no
  // part of a transaction without the others, and cuts are closed under "the larger of each shard".
  while (!lowered_.empty()) {
    const ShardId shard = lowered_.back();
    lowered_.pop_back();
    const std::deque<Part>& parts = parts_[shard.value()];
    // The cut only comes down, so what was looked at in this call need not be again.
    size_t& left = unexamined_[shard.value()];
    while (left > 0 && parts[left - 1].last > cut[shard.value()].value()) {
      Exclude(*parts[--left].transaction, cut);
    }
  }
  for (size_t i = 0; i < cut.size(); ++i) {
    std::deque<Part>& parts = parts_[i];
    while (!parts.empty() && parts.front().last <= cut[i].value()) {
      Forget(parts.front());
      parts.pop_front();
    }
  }
  cut_ = cut;
  return cut;
}

void ConsistentCut::Forget(const Part& part) {
  --pending_parts_;
  if (--part.transaction->pending > 0) return;
  CHECK(part.transaction->missing == 0);
  transactions_.erase(part.transaction->id);
}

}  // namespace tidemark::wal
