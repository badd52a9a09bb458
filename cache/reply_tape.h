// ReplyTape records replies as they are made and plays them into another builder later: an answer
// on its way back from another shard, or one that must wait for its turn in a pipeline.
//
// Small values are copied onto the tape; BulkRef keeps a reference, so that a large value travels
// without a copy.
//
// Threading: none of its own. It may be handed from thread to thread.

#ifndef TIDEMARK_CACHE_REPLY_TAPE_H_
#define TIDEMARK_CACHE_REPLY_TAPE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "cache/reply.h"

namespace tidemark::cache {

class ReplyTape final : public ReplyBuilder {
 public:
  enum class Kind : uint8_t {
    kStatus,
    kError,
    kInteger,
    kBulk,
    kBulkRef,
    kNull,
    kNullArray,
    kDouble,
    kBoolean,
    kVerbatim,
    kArray,
    kMap,
    kSet,
  };

  void Status(std::string_view text) override { PutBytes(Kind::kStatus, text); }
  void Error(std::string_view text) override {
    CountError();
    PutBytes(Kind::kError, text);
  }
  void Integer(int64_t value) override { PutWord(Kind::kInteger, static_cast<uint64_t>(value)); }
  void Bulk(std::string_view bytes) override { PutBytes(Kind::kBulk, bytes); }
  void BulkRef(const BufferRef& owner, std::string_view bytes) override;
  void Null() override { PutKind(Kind::kNull); }
  void NullArray() override { PutKind(Kind::kNullArray); }
  void Double(double value) override;
  void Boolean(bool value) override { PutWord(Kind::kBoolean, value ? 1 : 0); }
  void Verbatim(std::string_view format, std::string_view text) override;
  void ArrayHeader(size_t count) override { PutWord(Kind::kArray, count); }
  void MapHeader(size_t pairs) override { PutWord(Kind::kMap, pairs); }
  void SetHeader(size_t count) override { PutWord(Kind::kSet, count); }

  bool empty() const { return events_.empty(); }
  // Where the next event will be: a position for Reader.
  size_t end() const { return events_.size(); }
  // Bytes that this tape keeps alive.
  size_t bytes() const { return events_.size() + shared_bytes_; }

  // Forgets everything, and gives back memory beyond a small reserve.
  void Clear();

  // Walks a tape that nobody writes to meanwhile. The tape outlives it.
  class Reader {
   public:
    explicit Reader(const ReplyTape& tape, size_t position = 0)
        : tape_(&tape), position_(position) {}

    bool done() const { return position_ == tape_->end(); }
    // Require !done().
    Kind kind() const { return static_cast<Kind>(tape_->events_[position_]); }
    // The number of an integer, a boolean or a header (its count of elements or pairs); 0 for
    // others.
    uint64_t number() const;
    // Plays one whole reply, with all its elements.
    void PlayReply(ReplyBuilder& out);
    // Plays one event: a scalar, or a header without its elements.
    void PlayEvent(ReplyBuilder& out);
    void SkipEvent();

   private:
    std::string_view ReadBytes();
    uint64_t ReadWord();

    const ReplyTape* tape_;
    size_t position_;
  };

 private:
  struct SharedBytes {
    BufferRef owner;
    std::string_view bytes;
  };

  void PutKind(Kind kind) { events_.push_back(static_cast<char>(kind)); }
  void PutWord(Kind kind, uint64_t word);
  void PutBytes(Kind kind, std::string_view bytes);

  // kind: 1 byte; then nothing, a word of 8 bytes (kBulkRef: the index in shared_), or a word of
  // length and the bytes. In memory only: byte order is the machine's.
  std::string events_;
  std::vector<SharedBytes> shared_;
  size_t shared_bytes_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_REPLY_TAPE_H_
