#include "integration/simulation/ledger.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace tidemark::simulation {

// --- The primary ---

void Ledger::OnRecovered(const wal::Recovered& recovered, int shard_count,
                         const Contents& contents) {
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
  } else {
    History child;
    if (!recovered.ancestors.empty()) {
      child.parent = recovered.ancestors.back().history;
      child.fork = recovered.ancestors.back().fork;
      // A history that nobody ever wrote in: its parent's fork is what counts.
      if (History* parent = Find(child.parent)) CheckNothingLost(*parent, child.fork);
    } else if (newest_ != HistoryId()) {
      Fail("a node with data came back without a past");
    }
    for (int shard = 0; shard < shard_count; ++shard) {
      const wal::ShardPosition& at = recovered.positions[static_cast<size_t>(shard)];
      child.shards.push_back({.begin = at,
                              .frames = {},
                              .durable = at.sequence,
                              .exported = at.sequence,
                              .applied = at.sequence});
    }
    if (Find(child.parent) != nullptr)
      child.at_begin = StateAt(child.parent, SequencesOf(child.fork));
    child.at_end = child.at_begin;
    histories_[recovered.history] = std::move(child);
  }
  newest_ = recovered.history;
  const std::string difference =
      Difference(StateAt(newest_, SequencesOf(recovered.positions)), contents);
  if (!difference.empty()) Fail("recovered contents: " + difference);
}

void Ledger::CheckNothingLost(History& parent, const wal::Positions& fork) {
  for (size_t shard = 0; shard < fork.size(); ++shard) {
    Shard& was = parent.shards[shard];
    const Sequence kept = fork[shard].sequence;
    if (kept < was.durable) {
      Fail(fmt::format("shard {}: recovered up to {}, and {} had been durable", shard, kept.value(),
                       was.durable.value()));
    }
    if (kept < was.exported) {
      Fail(fmt::format("shard {}: recovered up to {}, and {} had been exported", shard,
                       kept.value(), was.exported.value()));
    }
    if (kept > was.last()) {
      Fail(fmt::format("shard {}: recovered {}, and {} was the last", shard, kept.value(),
                       was.last().value()));
    }
    // What came back is on disk for good, whether that had been published or not.
    was.durable = std::max(was.durable, kept);
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

void Ledger::OnDurable(HistoryId id, const Watermarks& durable) {
  History* history = Find(id);
  for (size_t i = 0; i < durable.size(); ++i) {
    Shard& shard = history->shards[i];
    if (durable[i] < shard.durable) Fail(fmt::format("durable of shard {} went back", i));
    if (durable[i] > shard.last()) Fail(fmt::format("durable of shard {} is beyond emitted", i));
    shard.durable = durable[i];
  }
}

// --- Followers ---

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

void Ledger::OnExported(const Frame& frame, Sequence through) {
  History* history = Find(frame.history());
  if (history == nullptr) return Fail("a frame of an unknown history was exported");
  Shard& shard = history->shards[frame.shard().value()];
  if (through > shard.durable) {
    Fail(fmt::format("shard {}: exported up to {}, and {} is durable", frame.shard().value(),
                     through.value(), shard.durable.value()));
  }
  shard.exported = std::max(shard.exported, through);
}

// --- Questions ---

Contents Ledger::StateAt(HistoryId id, const Watermarks& applied) {
  const History* history = Find(id);
  if (history == nullptr) return {};
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
