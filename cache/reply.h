// ReplyBuilder is what a command answers into: typed events, in order, that the caller turns into
// bytes of its protocol, or into values for an embedding program.

#ifndef TIDEMARK_CACHE_REPLY_H_
#define TIDEMARK_CACHE_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/buffer.h"

namespace tidemark::cache {

// One reply is one scalar, or one header followed by as many replies as it announces (a map's
// twice). The arguments die with the call. Names follow RESP3 (redis.io, "Redis serialization
// protocol"); a RESP2 writer turns maps into flat arrays, sets and pushes into arrays, doubles into
// bulk strings, booleans into 0 and 1, and both nulls into its own.
class ReplyBuilder {
 public:
  virtual ~ReplyBuilder() = default;

  virtual void Status(std::string_view text) = 0;  // "+OK": one line.
  // The whole text with its code ("ERR syntax error"), without '-'. Line breaks become spaces.
  virtual void Error(std::string_view text) = 0;
  virtual void Integer(int64_t value) = 0;
  virtual void Bulk(std::string_view bytes) = 0;
  // A slice of `owner` that may be sent without a copy.
  virtual void BulkRef(const BufferRef& owner, std::string_view bytes) = 0;
  virtual void Null() = 0;       // "$-1" or "_".
  virtual void NullArray() = 0;  // "*-1" or "_".
  virtual void Double(double value) = 0;
  virtual void Boolean(bool value) = 0;
  virtual void Verbatim(std::string_view format,
                        std::string_view text) = 0;  // format: 3 characters.
  virtual void ArrayHeader(size_t count) = 0;
  virtual void MapHeader(size_t pairs) = 0;
  virtual void SetHeader(size_t count) = 0;

  void Ok() { Status("OK"); }

  // Errors answered so far: from its change the shard tells that a command failed.
  uint64_t errors() const { return errors_; }

 protected:
  // Every implementation's Error calls this.
  void CountError() { ++errors_; }

 private:
  uint64_t errors_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_REPLY_H_
