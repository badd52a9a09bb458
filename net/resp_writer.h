// RespWriter turns replies into RESP bytes at the end of an OutputBuffer: the events of
// cache/reply.h and push messages, in protocol version 2 or 3 (redis.io, "Redis serialization
// protocol specification").
//
// One reply is one scalar, or one header followed by as many replies as it announces (a map's
// twice). Arguments die with the call.
//
// Threading: that of its OutputBuffer, which it borrows.

#ifndef TIDEMARK_NET_RESP_WRITER_H_
#define TIDEMARK_NET_RESP_WRITER_H_

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/buffer.h"
#include "net/output_buffer.h"

namespace tidemark::net {

class RespWriter {
 public:
  enum class Protocol : uint8_t { kResp2 = 2, kResp3 = 3 };

  // From this size on BulkRef() queues a reference. The two cost the same at about 8 KiB; here a
  // reference takes a quarter less (resp_writer_bench.cc). Below, more pieces cost more than the
  // copy.
  static constexpr size_t kReferenceBytes = 16 * 1024;

  explicit RespWriter(OutputBuffer& output) : output_(output) {}

  Protocol protocol() const { return protocol_; }
  void set_protocol(Protocol protocol) { protocol_ = protocol; }

  void Ok() { Raw("+OK\r\n"); }
  // One line. Requires: no line break in `text`.
  void Status(std::string_view text) { Line('+', text); }
  // The whole text with its code ("ERR syntax error"), without '-'. Line breaks become spaces.
  void Error(std::string_view text);
  void Integer(int64_t value) { Number(':', value); }

  void Bulk(std::string_view bytes) {
    if (bytes.size() > kMaxInlineBulk) [[unlikely]]
      return LongBulk(bytes);
    char* out = Header(output_.Reserve(bytes.size() + kHeaderBytes + 2), '$', bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    output_.Commit(EndLine(out + bytes.size()));
  }
  // `bytes` is a slice of `owner`; it is not copied if it is long.
  void BulkRef(const BufferRef& owner, std::string_view bytes) {
    if (bytes.size() < kReferenceBytes) return Bulk(bytes);
    LongHeader('$', bytes.size());
    output_.AppendRef(owner, bytes);
    Raw("\r\n");
  }

  void Null() { Raw(resp3() ? "_\r\n" : "$-1\r\n"); }
  void NullArray() { Raw(resp3() ? "_\r\n" : "*-1\r\n"); }
  void Boolean(bool value) {
    if (resp3()) return Raw(value ? "#t\r\n" : "#f\r\n");
    Integer(value ? 1 : 0);
  }
  // As Redis 7.0 prints it: 17 significant digits.
  void Double(double value);
  // `format`: 3 characters, such as "txt"; a plain bulk string in RESP2.
  void Verbatim(std::string_view format, std::string_view text);

  void ArrayHeader(size_t count) { LongHeader('*', count); }
  void MapHeader(size_t pairs) {
    if (resp3()) return LongHeader('%', pairs);
    LongHeader('*', pairs * 2);
  }
  void SetHeader(size_t count) { LongHeader(resp3() ? '~' : '*', count); }
  // Of what is said about the reply that follows it. RESP3 only.
  void AttributeHeader(size_t pairs) { LongHeader('|', pairs); }
  void PushHeader(size_t count) { LongHeader(resp3() ? '>' : '*', count); }

  // Bytes that are RESP already: replies that were made elsewhere.
  void Raw(std::string_view bytes) {
    if (bytes.size() > OutputBuffer::kMaxReserve) [[unlikely]]
      return output_.Append(bytes);
    char* out = output_.Reserve(bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    output_.Commit(out + bytes.size());
  }

  OutputBuffer& output() { return output_; }

 private:
  // The type's mark, up to 20 digits with a sign, and the line's end.
  static constexpr size_t kHeaderBytes = 24;
  static constexpr size_t kMaxInlineBulk = OutputBuffer::kMaxReserve - kHeaderBytes - 2;

  bool resp3() const { return protocol_ == Protocol::kResp3; }

  static char* EndLine(char* out) {
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
  }

  static char* Header(char* out, char type, uint64_t value) {
    *out++ = type;
    // Most lengths have one to three digits.
    if (value < 10) {
      *out++ = static_cast<char>('0' + value);
    } else if (value < 100) {
      out[0] = static_cast<char>('0' + value / 10);
      out[1] = static_cast<char>('0' + value % 10);
      out += 2;
    } else if (value < 1000) {
      out[0] = static_cast<char>('0' + value / 100);
      out[1] = static_cast<char>('0' + value / 10 % 10);
      out[2] = static_cast<char>('0' + value % 10);
      out += 3;
    } else {
      out = std::to_chars(out, out + 20, value).ptr;
    }
    return EndLine(out);
  }

  void LongHeader(char type, uint64_t value) {
    output_.Commit(Header(output_.Reserve(kHeaderBytes), type, value));
  }

  void Number(char type, int64_t value) {
    if (value >= 0) return LongHeader(type, static_cast<uint64_t>(value));
    char* out = output_.Reserve(kHeaderBytes);
    *out++ = type;
    output_.Commit(EndLine(std::to_chars(out, out + 20, value).ptr));
  }

  void Line(char type, std::string_view text);
  void LongBulk(std::string_view bytes);

  OutputBuffer& output_;
  Protocol protocol_ = Protocol::kResp2;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_RESP_WRITER_H_
