#include "tier/reclaimer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/log/log.h"
#include "tier/value_record.h"

namespace tidemark::tier {

Reclaimer::Reclaimer(SegmentStore& store, WriterInbox& inbox, TierState& state, PostToFront post,
                     uint64_t bytes_per_second)
    : store_(store),
      inbox_(inbox),
      tier_(state),
      post_(std::move(post)),
      budget_(bytes_per_second) {}

int64_t Reclaimer::Run(int64_t now_ns) {
  if (reconsider_at_ns_ != 0 && now_ns >= reconsider_at_ns_) {
    store_.Reconsider();
    reconsider_at_ns_ = 0;
  }
  if (state_ == State::kAsking || state_ == State::kMoving) {
    // Acquire: what the shards wrote into the chunk comes before their answers.
    if (chunk_->unanswered.load(std::memory_order_acquire) != 0) return -1;
    if (state_ == State::kAsking) {
      MoveLive(now_ns);
      if (state_ == State::kMoving) return -1;
    } else {
      state_ = State::kScanning;
    }
  }
  if (const int64_t pause_ns = budget_.NanosUntilMaySpend(now_ns); pause_ns > 0) {
    return state_ == State::kScanning || store_.FindVictim() ? pause_ns : -1;
  }
  if (state_ == State::kIdle) {
    const std::optional<uint32_t> victim = store_.FindVictim();
    if (!victim) return reconsider_at_ns_ == 0 ? -1 : reconsider_at_ns_ - now_ns;
    victim_ = store_.Find(*victim);
    offset_ = kValueSegmentHeaderBytes;
    end_ = store_.EndBytes(*victim);
    damaged_ = false;
    state_ = State::kScanning;
  }
  if (!AskNext(now_ns)) return 0;
  return -1;
}

bool Reclaimer::AskNext(int64_t now_ns) {
  chunk_ = std::make_shared<ReclaimChunk>();
  while (chunk_->groups.empty()) {
    // Freed meanwhile to the last record: nobody needs to be asked.
    if (offset_ >= end_ || !store_.Contains(victim_->number)) {
      EndVictim(damaged_, now_ns);
      return false;
    }
    const uint64_t bytes = std::min<uint64_t>(kChunkBytes, end_ - offset_);
    absl::Status status = ReadChunk(bytes);
    if (status.ok() && ParseChunk() == 0) {
      // A record longer than a chunk. Its header is good, so its length is to be trusted.
      const auto header = DecodeRecordHeader(chunk_->bytes->view(), victim_->number,
                                             static_cast<uint32_t>(offset_));
      status = ReadChunk(header->record_bytes());
      if (status.ok()) ParseChunk();
    }
    budget_.Spend(chunk_->bytes->size(), now_ns);
    if (!status.ok()) {
      tier_.reclaim_read_errors.Add();
      EndVictim(false, now_ns);
      return false;
    }
  }
  state_ = State::kAsking;
  Send(&FrontEvents::OnReclaimQuestion);
  return true;
}

absl::Status Reclaimer::ReadChunk(uint64_t bytes) {
  absl::StatusOr<size_t> read = size_t{0};
  chunk_->bytes = Buffer::Make(bytes, [&](char* out) {
    read = victim_->file->ReadAt(offset_, bytes, out);
    // What a file lacks reads as zeros, which are no record.
    if (read.ok()) std::fill(out + *read, out + bytes, '\0');
  });
  return read.status();
}

uint64_t Reclaimer::ParseChunk() {
  const std::string_view bytes = chunk_->bytes->view();
  const uint64_t rest = end_ - offset_;
  uint64_t at = 0;
  size_t records = 0;
  while (records < kChunkRecords && bytes.size() - at >= kRecordHeaderBytes) {
    const auto offset = static_cast<uint32_t>(offset_ + at);
    const auto header = DecodeRecordHeader(bytes.substr(at), victim_->number, offset);
    if (!header.ok() || header->record_bytes() > rest - at) {
      // Where the next record begins is not known.
      tier_.reclaim_damaged.Add();
      damaged_ = true;
      at = rest;
      break;
    }
    const uint64_t record_bytes = header->record_bytes();
    if (record_bytes > bytes.size() - at) break;
    const ValueLocation from = {victim_->number, offset, static_cast<uint32_t>(record_bytes)};
    const auto record = DecodeRecord(bytes.substr(at, record_bytes), from);
    at += record_bytes;
    ++records;
    if (!record.ok()) {
      tier_.reclaim_damaged.Add();
      damaged_ = true;
      continue;
    }
    AddItem({.from = from,
             .header = record->header,
             .key = record->key,
             .body = bytes.substr(at - record_bytes + kRecordHeaderBytes,
                                  record_bytes - kRecordHeaderBytes)});
  }
  // Too few bytes for a header, though the segment is said to go on: only a whole record may
  // follow.
  if (records == 0 && at == 0 && bytes.size() < kRecordHeaderBytes) {
    damaged_ = true;
    at = rest;
  }
  offset_ += at;
  return at;
}

void Reclaimer::AddItem(ReclaimChunk::Item item) {
  const ShardId shard = item.header.shard;
  auto group = std::find_if(chunk_->groups.begin(), chunk_->groups.end(),
                            [&](const ReclaimChunk::Group& g) { return g.shard == shard; });
  if (group == chunk_->groups.end()) {
    group = chunk_->groups.insert(chunk_->groups.end(), {.shard = shard, .items = {}});
  }
  group->items.push_back(item);
}

void Reclaimer::Send(void (FrontEvents::*event)(ReclaimChunk::Group&)) {
  chunk_->unanswered.store(chunk_->groups.size(), std::memory_order_relaxed);
  for (ReclaimChunk::Group& group : chunk_->groups) {
    post_(group.shard, [chunk = chunk_, &group, event, &inbox = inbox_](FrontEvents& front) {
      (front.*event)(group);
      // Release: the answer comes before the count; the last one wakes the writer.
      if (chunk->unanswered.fetch_sub(1, std::memory_order_acq_rel) == 1) inbox.Kick();
    });
  }
}

void Reclaimer::MoveLive(int64_t now_ns) {
  const absl::Status status = WriteLive(now_ns);
  // Shards without a survivor have nothing more to say.
  std::erase_if(chunk_->groups, [](ReclaimChunk::Group& group) {
    std::erase_if(group.items, [](const ReclaimChunk::Item& item) { return item.to.is_null(); });
    return group.items.empty();
  });
  if (!status.ok()) {
    // What was written before is announced, nobody waits for it, and the rest stays where it is.
    if (!chunk_->groups.empty()) Send(&FrontEvents::OnReclaimMoved);
    EndVictim(false, now_ns);
  } else if (chunk_->groups.empty()) {
    state_ = State::kScanning;
  } else {
    state_ = State::kMoving;
    Send(&FrontEvents::OnReclaimMoved);
  }
}

absl::Status Reclaimer::WriteLive(int64_t now_ns) {
  std::vector<ReclaimChunk::Item*> planned;
  const auto write = [&]() -> absl::Status {
    if (planned.empty()) return absl::OkStatus();
    const absl::Status status = store_.Append(Lane::kSurvivors, batch_, planned.size());
    if (status.ok()) {
      tier_.written_bytes.Add(batch_.size());
      tier_.reclaimed_bytes.Add(batch_.size());
      budget_.Spend(batch_.size(), now_ns);
    } else {
      for (ReclaimChunk::Item* item : planned) item->to = {};
    }
    planned.clear();
    batch_.clear();
    return status;
  };

  for (ReclaimChunk::Group& group : chunk_->groups) {
    for (ReclaimChunk::Item& item : group.items) {
      if (!item.live) continue;
      if (!store_.Fits(Lane::kSurvivors, batch_.size(), item.from.bytes)) {
        if (absl::Status s = write(); !s.ok()) {
          tier_.CountWriteError(s);
          return s;
        }
        if (!store_.MayCreate(Lane::kSurvivors)) {
          return absl::ResourceExhaustedError("no room for survivors");
        }
        if (absl::Status s = store_.Create(Lane::kSurvivors); !s.ok()) {
          tier_.CountWriteError(s);
          return s;
        }
      }
      const SegmentLedger::End end = store_.EndOf(Lane::kSurvivors);
      const auto offset = static_cast<uint32_t>(end.offset + batch_.size());
      char header[kRecordHeaderBytes];
      EncodeRecordHeader(item.header, end.segment, offset, header);
      batch_.append(header, sizeof(header)).append(item.body);
      item.to = {end.segment, offset, item.from.bytes};
      planned.push_back(&item);
    }
  }
  const absl::Status status = write();
  if (!status.ok()) tier_.CountWriteError(status);
  return status;
}

void Reclaimer::EndVictim(bool for_good, int64_t now_ns) {
  state_ = State::kIdle;
  chunk_ = nullptr;
  const uint32_t number = std::exchange(victim_, nullptr)->number;
  // Empty as it should be, and ours to delete; or somebody still has something there.
  store_.DeleteEmpty();
  if (!store_.Contains(number)) {
    tier_.reclaimed_segments.Add();
    return;
  }
  store_.GiveUp(number, for_good);
  if (for_good) {
    Log(LogLevel::kWarning,
        fmt::format("segment {} of the tier is damaged: what is live there can not be moved",
                    number));
  } else if (reconsider_at_ns_ == 0) {
    reconsider_at_ns_ = now_ns + kReconsiderNanos;
  }
}

}  // namespace tidemark::tier
