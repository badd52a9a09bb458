#include "cache/reply_tape.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace tidemark::cache {
namespace {

// What a cleared tape keeps, so that reuse allocates nothing in the common case.
constexpr size_t kReserveBytes = 64 * 1024;
constexpr size_t kReserveShared = 64;
constexpr size_t kWord = sizeof(uint64_t);

}  // namespace

void ReplyTape::PutWord(Kind kind, uint64_t word) {
  char event[1 + kWord];
  event[0] = static_cast<char>(kind);
  std::memcpy(event + 1, &word, kWord);
  events_.append(event, sizeof(event));
}

void ReplyTape::PutBytes(Kind kind, std::string_view bytes) {
  PutWord(kind, bytes.size());
  events_.append(bytes);
}

void ReplyTape::BulkRef(const BufferRef& owner, std::string_view bytes) {
  PutWord(Kind::kBulkRef, shared_.size());
  shared_.push_back({owner, bytes});
  shared_bytes_ += bytes.size();
}

void ReplyTape::Double(double value) { PutWord(Kind::kDouble, std::bit_cast<uint64_t>(value)); }

void ReplyTape::Verbatim(std::string_view format, std::string_view text) {
  DCHECK(format.size() == 3);
  PutWord(Kind::kVerbatim, format.size() + text.size());
  events_.append(format);
  events_.append(text);
}

void ReplyTape::Clear() {
  events_.clear();
  shared_.clear();
  shared_bytes_ = 0;
  if (events_.capacity() > kReserveBytes) std::string().swap(events_);
  if (shared_.capacity() > kReserveShared) std::vector<SharedBytes>().swap(shared_);
}

uint64_t ReplyTape::Reader::ReadWord() {
  uint64_t word = 0;
  std::memcpy(&word, tape_->events_.data() + position_, kWord);
  position_ += kWord;
  return word;
}

std::string_view ReplyTape::Reader::ReadBytes() {
  const size_t size = ReadWord();
  const std::string_view bytes(tape_->events_.data() + position_, size);
  position_ += size;
  return bytes;
}

uint64_t ReplyTape::Reader::number() const {
  switch (kind()) {
    case Kind::kInteger:
    case Kind::kBoolean:
    case Kind::kArray:
    case Kind::kMap:
    case Kind::kSet: {
      Reader copy = *this;
      ++copy.position_;
      return copy.ReadWord();
    }
    default:
      return 0;
  }
}

void ReplyTape::Reader::PlayEvent(ReplyBuilder& out) {
  const Kind event = kind();
  ++position_;
  switch (event) {
    case Kind::kStatus:
      return out.Status(ReadBytes());
    case Kind::kError:
      return out.Error(ReadBytes());
    case Kind::kInteger:
      return out.Integer(static_cast<int64_t>(ReadWord()));
    case Kind::kBulk:
      return out.Bulk(ReadBytes());
    case Kind::kBulkRef: {
      const SharedBytes& shared = tape_->shared_[ReadWord()];
      return out.BulkRef(shared.owner, shared.bytes);
    }
    case Kind::kNull:
      return out.Null();
    case Kind::kNullArray:
      return out.NullArray();
    case Kind::kDouble:
      return out.Double(std::bit_cast<double>(ReadWord()));
    case Kind::kBoolean:
      return out.Boolean(ReadWord() != 0);
    case Kind::kVerbatim: {
      const std::string_view all = ReadBytes();
      return out.Verbatim(all.substr(0, 3), all.substr(3));
    }
    case Kind::kArray:
      return out.ArrayHeader(ReadWord());
    case Kind::kMap:
      return out.MapHeader(ReadWord());
    case Kind::kSet:
      return out.SetHeader(ReadWord());
  }
}

void ReplyTape::Reader::SkipEvent() {
  const Kind event = kind();
  ++position_;
  switch (event) {
    case Kind::kStatus:
    case Kind::kError:
    case Kind::kBulk:
    case Kind::kVerbatim:
      ReadBytes();
      return;
    case Kind::kNull:
    case Kind::kNullArray:
      return;
    default:
      ReadWord();
  }
}

void ReplyTape::Reader::PlayReply(ReplyBuilder& out) {
  // Replies still to play; a header asks for more instead of recursing, so depth costs nothing.
  for (uint64_t wanted = 1; wanted > 0; --wanted) {
    const Kind event = kind();
    if (event == Kind::kArray || event == Kind::kSet) wanted += number();
    if (event == Kind::kMap) wanted += 2 * number();
    PlayEvent(out);
  }
}

}  // namespace tidemark::cache
