#include "integration/simulation/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/format/record.h"
#include "fmt/format.h"

namespace tidemark::simulation {

// --- The primary ---

void Ledger::OnRecovered(const std::string& who, const wal::Recovered& recovered, int shard_count,
                         const Contents& contents) {
  CheckKept(who, recovered);
  if (recovered.same_history && histories_.contains(recovered.history)) {
    // Only after a stop in good order, so all that was sealed is there.
    const History& history = histories_.at(recovered.history);
    for (size_t shard = 0; shard < history.shards.size(); ++shard) {
      if (recovered.positions[shard].sequence != history.shards[shard].last()) {
        Fail(fmt::format("shard {} goes on at {} in the same history, which has reached {}", shard,
                         recovered.positions[shard].sequence.value(),
                         history.shards[shard].last().value()));
      }
    }
  } else if (!recovered.ancestors.empty()) {
    const wal::Recovered::Ancestor& parent = recovered.ancestors.back();
    Begin(recovered.history, parent.history, parent.fork, recovered.positions);
  } else {
    if (newest_ != HistoryId()) Fail("a node with data came back without a past");
    Begin(recovered.history, HistoryId(), {}, recovered.positions);
  }
  newest_ = recovered.history;
  CheckContents(who, newest_, recovered.positions, contents);
}

void Ledger::OnPromoted(const std::string& who, const server::Succession& succession,
                        int shard_count, const Contents& contents) {
  const server::Fork& fork = succession.fork;
  const History* const parent = Find(fork.parent);
  if (parent == nullptr) return Fail(who + " was promoted, and held nothing");
  for (const server::LostSpan& lost : fork.lost) {
    const size_t shard = lost.shard.value();
    if (lost.first != Next(fork.at[shard]) || lost.last > parent->shards[shard].last()) {
      Fail(fmt::format("{} names {} to {} of shard {} as lost, is at {}, and {} was the last", who,
                       lost.first.value(), lost.last.value(), shard, fork.at[shard].value(),
                       parent->shards[shard].last().value()));
    }
  }
  wal::Positions at;
  for (const Sequence sequence : fork.at) at.push_back({.sequence = sequence, .digest = 0});
  wal::Positions begin;
  for (const auto& beginning : succession.beginnings) {
    begin.push_back({.sequence = beginning.end.last, .digest = beginning.end.digest});
  }
  CheckContents(who, fork.parent, at, contents);
  newest_ = succession.beginnings.front().history;
  Begin(newest_, fork.parent, at, begin);
}

void Ledger::Begin(HistoryId id, HistoryId parent, const wal::Positions& fork,
                   const wal::Positions& begin) {
  History child;
  child.parent = parent;
  child.fork = fork;
  for (const wal::ShardPosition& at : begin) {
    child.shards.push_back({.begin = at, .frames = {}, .applied = at.sequence});
  }
  // A history that nobody ever wrote in is not known: its parent's fork is what counts.
  if (Find(parent) != nullptr) child.at_begin = StateAt(parent, SequencesOf(fork));
  child.at_end = child.at_begin;
  histories_[id] = std::move(child);
}

void Ledger::CheckContents(const std::string& who, HistoryId history, const wal::Positions& at,
                           const Contents& contents) {
  const std::string difference = Difference(StateAt(history, SequencesOf(at)), contents);
  if (!difference.empty()) Fail(fmt::format("{} begins with wrong contents: {}", who, difference));
}

void Ledger::CheckKept(const std::string& who, const wal::Recovered& recovered) {
  const auto found = kept_.find(who);
  if (found == kept_.end() || found->second.history == HistoryId()) return;
  const Kept& kept = found->second;
  // How far what came back goes in the history of what had been durable.
  std::optional<Watermarks> reached;
  if (recovered.history == kept.history) reached = SequencesOf(recovered.positions);
  for (const wal::Recovered::Ancestor& ancestor : recovered.ancestors) {
    if (ancestor.history == kept.history) reached = SequencesOf(ancestor.fork);
  }
  if (!reached.has_value()) {
    if (kept.replaced) return;
    return Fail(fmt::format("{} came back with history {}, and had kept history {}", who,
                            recovered.history.value(), kept.history.value()));
  }
  // What a replica had logged and not applied when it went over to a history that began below is
  // void, and nobody was told of it.
  const HistoryId followed = recovered.same_history || recovered.ancestors.empty()
                                 ? recovered.history
                                 : recovered.ancestors.back().history;
  const bool went_over = recovered.was_follower && followed != kept.history;
  Watermarks held = went_over ? kept.acked : kept.durable;
  held.resize(kept.durable.size());
  for (size_t shard = 0; shard < kept.durable.size(); ++shard) {
    const Sequence back = (*reached)[shard];
    if (back < held[shard]) {
      Fail(fmt::format("{} shard {}: recovered up to {}, and {} had been durable", who, shard,
                       back.value(), held[shard].value()));
    }
    if (shard < kept.exported.size() && back < kept.exported[shard]) {
      Fail(fmt::format("{} shard {}: recovered up to {}, and {} had been exported", who, shard,
                       back.value(), kept.exported[shard].value()));
    }
  }
}

void Ledger::OnSealed(const FrameRef& frame) {
  History* history = Find(frame->history());
  if (history == nullptr) return Fail("a frame of a history that never began");
  Shard& shard = history->shards[frame->shard().value()];
  if (frame->first_sequence() != Next(shard.last())) {
    Fail(fmt::format("shard {}: a frame begins at {} after {}", frame->shard().value(),
                     frame->first_sequence().value(), shard.last().value()));
  }
  if (frame->stream_digest() != StreamDigest(shard.digest(), frame->payload())) {
    Fail(fmt::format("shard {}: the digest of the stream does not go on at {}",
                     frame->shard().value(), frame->first_sequence().value()));
  }
  shard.frames.push_back(frame);
  const std::string fault =
      ApplyFrame(*frame, frame->first_sequence(), frame->last_sequence(), &history->at_end);
  if (!fault.empty()) Fail("sealed: " + fault);
}

void Ledger::OnDurable(const std::string& who, HistoryId id, const Watermarks& durable) {
  const History* const history = Find(id);
  if (history == nullptr) return;
  Kept& kept = kept_[who];
  if (kept.history != id || kept.replaced) {
    kept = {.history = id, .durable = durable, .acked = {}, .exported = {}, .replaced = false};
  }
  for (size_t i = 0; i < durable.size(); ++i) {
    if (durable[i] < kept.durable[i]) {
      Fail(fmt::format("{}: durable of shard {} went back", who, i));
    }
    if (durable[i] > history->shards[i].last()) {
      Fail(fmt::format("{}: durable of shard {} is beyond emitted", who, i));
    }
  }
  kept.durable = durable;
}

// --- Followers ---

void Ledger::OnFollowerRecovered(const std::string& who, const wal::Recovered& recovered,
                                 const Contents& contents) {
  CheckKept(who, recovered);
  if (Find(recovered.history) == nullptr) return;  // A new directory.
  CheckContents(who, recovered.history, recovered.positions, contents);
  // What had only been logged is applied now.
  NoteApplied(recovered.history, SequencesOf(recovered.positions));
}

void Ledger::OnStreamReplaced(const std::string& who) { kept_[who].replaced = true; }

Watermarks Ledger::Common(HistoryId id, HistoryId other) {
  // Up the other one's line, as far as sequences go on.
  const Watermarks none(Find(id)->shards.size());
  Watermarks limit;
  for (HistoryId at = other; Find(at) != nullptr; at = Find(at)->parent) {
    const History& line = *Find(at);
    if (line.shards.size() != none.size()) return none;
    if (limit.empty()) {
      for (const Shard& shard : line.shards) limit.push_back(shard.last());
    }
    if (at == id) return limit;
    if (line.fork.size() != limit.size()) return none;
    for (size_t i = 0; i < limit.size(); ++i) {
      limit[i] = std::min(limit[i], line.fork[i].sequence);
    }
  }
  return none;
}

uint64_t Ledger::Missing(HistoryId id, const Watermarks& at, HistoryId other) {
  if (Find(id) == nullptr) return 0;
  const Watermarks common = Common(id, other);
  uint64_t missing = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    if (at[i] > common[i]) missing += at[i].value() - common[i].value();
  }
  return missing;
}

void Ledger::OnDiscard(const std::string& who, const replication::ReplicaPosition& held,
                       const Watermarks& after, HistoryId taken) {
  const std::optional<size_t> shard = Unnamed(held, after, taken);
  if (!shard.has_value()) return;
  Fail(fmt::format("{} throws away shard {} from {} on, and names only what is beyond {}", who,
                   *shard, Common(held.history, taken)[*shard].value() + 1, after[*shard].value()));
}

std::optional<size_t> Ledger::Unnamed(const replication::ReplicaPosition& held,
                                      const Watermarks& after, HistoryId taken) {
  if (Find(held.history) == nullptr) return std::nullopt;
  const Watermarks common = Common(held.history, taken);
  for (size_t i = 0; i < held.shards.size(); ++i) {
    if (held.shards[i].sequence > common[i] && after[i] > common[i]) return i;
  }
  return std::nullopt;
}

void Ledger::OnApplied(const std::string& who, const replication::ReplicaPosition& position) {
  History* history = Find(position.history);
  if (history == nullptr) return;  // It has nothing yet.
  for (size_t i = 0; i < position.shards.size(); ++i) {
    const replication::ShardPosition& at = position.shards[i];
    const History* passing = Passing(position.history, i, at.sequence);
    uint64_t digest = 0;
    bool known = false;
    if (passing != nullptr) {
      const Shard& shard = passing->shards[i];
      const auto frame = std::lower_bound(
          shard.frames.begin(), shard.frames.end(), at.sequence,
          [](const FrameRef& f, Sequence sequence) { return f->last_sequence() < sequence; });
      if (at.sequence == shard.begin.sequence) {
        digest = shard.begin.digest;
        known = true;
      } else if (frame != shard.frames.end() && (*frame)->last_sequence() == at.sequence) {
        digest = (*frame)->stream_digest();
        known = true;
      }
    }
    if (!known || digest != at.stream_digest) {
      Fail(
          fmt::format("{} has shard {} applied up to {}, which is no point of history {}'s stream "
                      "with that digest",
                      who, i, at.sequence.value(), position.history.value()));
      return;
    }
  }
}

void Ledger::NoteApplied(HistoryId id, const Watermarks& applied) {
  History* history = Find(id);
  for (size_t i = 0; history != nullptr && i < applied.size(); ++i) {
    Sequence& most = history->shards[i].applied;
    most = std::max(most, applied[i]);
  }
}

void Ledger::OnAcked(HistoryId id, const Watermarks& applied) {
  History* history = Find(id);
  if (history == nullptr) return;
  for (size_t i = 0; i < applied.size(); ++i) {
    if (applied[i] <= history->shards[i].applied) continue;
    Fail(
        fmt::format("shard {}: acknowledged up to {}, and no replica has ever applied more than {}",
                    i, applied[i].value(), history->shards[i].applied.value()));
  }
}

void Ledger::OnAckedDurable(const std::string& who, HistoryId id, const Watermarks& durable) {
  const auto found = kept_.find(who);
  for (size_t i = 0; i < durable.size(); ++i) {
    if (durable[i] == Sequence()) continue;
    const bool said = found != kept_.end() &&
                      (found->second.history != id || durable[i] <= found->second.durable[i]);
    if (said) continue;
    Fail(fmt::format("{} shard {}: acknowledged as durable up to {}, which it is not", who, i,
                     durable[i].value()));
  }
  if (found == kept_.end() || found->second.history != id) return;
  Watermarks& acked = found->second.acked;
  acked.resize(durable.size());
  for (size_t i = 0; i < durable.size(); ++i) acked[i] = std::max(acked[i], durable[i]);
}

void Ledger::OnExported(const std::string& from, const Frame& frame, Sequence through) {
  if (Find(frame.history()) == nullptr) return Fail("a frame of an unknown history was exported");
  Kept& kept = kept_[from];
  const size_t shard = frame.shard().value();
  // Of an ancestor: only what is before the fork is shown, and that was recovered, or applied.
  if (kept.history != frame.history()) return;
  if (through > kept.durable[shard]) {
    Fail(fmt::format("shard {}: exported up to {}, and {} is durable", shard, through.value(),
                     kept.durable[shard].value()));
  }
  kept.exported.resize(kept.durable.size());
  kept.exported[shard] = std::max(kept.exported[shard], through);
}

// --- Questions ---

Contents Ledger::StateAt(HistoryId id, const Watermarks& applied) {
  const History* history = Find(id);
  if (history == nullptr || applied.size() != history->shards.size()) return {};
  // A follower may still be, in some shards, where an ancestor was.
  Watermarks before = applied;
  bool at_ancestor = false;
  for (size_t i = 0; i < applied.size(); ++i) {
    const Sequence begin = history->shards[i].begin.sequence;
    at_ancestor |= applied[i] < begin;
    before[i] = std::min(applied[i], begin);
  }
  Contents contents = at_ancestor ? StateAt(history->parent, before) : history->at_begin;
  for (size_t i = 0; i < history->shards.size(); ++i) {
    for (const FrameRef& frame : history->shards[i].frames) {
      if (frame->first_sequence() > applied[i]) break;
      const std::string fault = ApplyFrame(*frame, frame->first_sequence(), applied[i], &contents);
      if (!fault.empty()) Fail(fault);
    }
  }
  return contents;
}

bool Ledger::FlushFollows(HistoryId id, ShardId shard, Sequence sequence) const {
  const auto found = histories_.find(id);
  if (found == histories_.end() || shard.value() >= found->second.shards.size()) return false;
  for (const FrameRef& frame : found->second.shards[shard.value()].frames) {
    if (frame->last_sequence() <= sequence) continue;
    RecordReader reader(*frame);
    Record record;
    for (Sequence at = frame->first_sequence(); *reader.Next(&record); at = Next(at)) {
      if (at > sequence && record.op == RecordOp::kFlush) return true;
    }
  }
  return false;
}

bool Ledger::EverApplied(HistoryId id, ShardId shard, Sequence sequence) const {
  const auto found = histories_.find(id);
  return found != histories_.end() && found->second.shards[shard.value()].applied >= sequence;
}

Watermarks Ledger::Emitted(HistoryId id) const {
  Watermarks emitted;
  for (const Shard& shard : histories_.at(id).shards) emitted.push_back(shard.last());
  return emitted;
}

Ledger::History* Ledger::Find(HistoryId history) {
  const auto found = histories_.find(history);
  return found == histories_.end() ? nullptr : &found->second;
}

const Ledger::History* Ledger::Passing(HistoryId id, size_t shard, Sequence sequence) const {
  while (true) {
    const auto found = histories_.find(id);
    if (found == histories_.end() || shard >= found->second.shards.size()) return nullptr;
    const History& history = found->second;
    if (sequence >= history.shards[shard].begin.sequence) return &history;
    id = history.parent;
  }
}

}  // namespace tidemark::simulation
