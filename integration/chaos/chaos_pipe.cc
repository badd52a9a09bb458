#include "integration/chaos/chaos_pipe.h"

#include <algorithm>
#include <utility>

namespace tidemark::integration {
namespace {

// What a slow pipe may give at once after it had nothing to do.
constexpr int64_t kMaxBurstMs = 50;

}  // namespace

void ChaosPipe::SetFaults(const PipeFaults& faults) {
  faults_ = faults;
  pushed_bytes_ = 0;
  harmed_ = false;
}

size_t ChaosPipe::room() const {
  if (faults_.stands_still || cut_) return 0;
  return kMaxBytes - std::min(kMaxBytes, waiting_bytes_);
}

void ChaosPipe::Push(std::string_view bytes, int64_t now_ms) {
  std::string carried(bytes);
  DoHarm(carried);
  pushed_bytes_ += bytes.size();
  if (carried.empty()) return;
  waiting_bytes_ += carried.size();
  chunks_.push_back({.bytes = std::move(carried), .due_ms = now_ms + faults_.delay_ms});
}

void ChaosPipe::DoHarm(std::string& bytes) {
  using Harm = PipeFaults::Harm;
  const bool here = faults_.harm != Harm::kNone && !harmed_ &&
                    faults_.harm_at_bytes < pushed_bytes_ + bytes.size();
  if (!here) return;
  harmed_ = true;
  ++harms_;
  const size_t at = static_cast<size_t>(faults_.harm_at_bytes - pushed_bytes_);
  switch (faults_.harm) {
    case Harm::kNone:
      break;
    case Harm::kCut:
      cut_ = true;
      bytes.resize(at);
      break;
    case Harm::kCorrupt:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (faults_.harm_at_bytes % 8)));
      break;
    case Harm::kDrop:
      bytes.erase(at, faults_.harm_bytes);
      break;
    case Harm::kDuplicate: {
      const size_t from = at - std::min(at, faults_.harm_bytes);
      bytes.insert(at, bytes.substr(from, at - from));
      break;
    }
  }
}

size_t ChaosPipe::Allowance(int64_t now_ms) const {
  if (faults_.bytes_per_s == 0) return kMaxBytes;
  const int64_t span_ms = std::min(now_ms - allowed_since_ms_, kMaxBurstMs);
  return static_cast<size_t>(span_ms * faults_.bytes_per_s / 1000);
}

std::string_view ChaosPipe::Ready(int64_t now_ms) {
  if (faults_.stands_still || chunks_.empty() || chunks_.front().due_ms > now_ms) return {};
  size_t most = Allowance(now_ms);
  if (faults_.piece_bytes != 0) most = std::min(most, faults_.piece_bytes);
  return std::string_view(chunks_.front().bytes).substr(taken_, most);
}

void ChaosPipe::OnWritten(size_t bytes, int64_t now_ms) {
  if (bytes == 0) return;
  allowed_since_ms_ = now_ms;
  waiting_bytes_ -= bytes;
  taken_ += bytes;
  if (taken_ < chunks_.front().bytes.size()) return;
  chunks_.pop_front();
  taken_ = 0;
}

int64_t ChaosPipe::NextMs(int64_t now_ms) const {
  if (faults_.stands_still || chunks_.empty()) return kNever;
  int64_t at_ms = std::max(now_ms, chunks_.front().due_ms);
  if (faults_.bytes_per_s != 0) {
    // Until at least one byte may go.
    at_ms = std::max(at_ms, allowed_since_ms_ + 1 + 1000 / faults_.bytes_per_s);
  }
  return at_ms;
}

}  // namespace tidemark::integration
