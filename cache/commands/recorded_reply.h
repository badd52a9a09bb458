// RecordedReply writes down what a command answers, as one line of text that a test can compare:
//
//   status +OK     error -ERR ...    integer :1    bulk "a\x00b"   null nil
//   array [a, b]   set ~[a, b]       map %[k, v]   double ,1.5     boolean #1   verbatim =txt:"..."
//
// As RESP2 a set and a map are written like arrays, as a client of that protocol would see them.

#ifndef TIDEMARK_CACHE_COMMANDS_RECORDED_REPLY_H_
#define TIDEMARK_CACHE_COMMANDS_RECORDED_REPLY_H_

#include <string>
#include <string_view>
#include <vector>

#include "cache/reply.h"

namespace tidemark::cache {

// Bytes in double quotes, those outside printable ASCII as \xHH.
std::string Quoted(std::string_view bytes);

class RecordedReply final : public ReplyBuilder {
 public:
  enum class Protocol { kResp2, kResp3 };
  explicit RecordedReply(Protocol protocol = Protocol::kResp3) : protocol_(protocol) {}

  // The replies so far, joined by newlines.
  const std::string& text() const { return text_; }
  int replies() const { return replies_; }
  bool complete() const { return open_.empty(); }
  // How many were answered by reference.
  int references() const { return references_; }

  void Status(std::string_view text) override;
  void Error(std::string_view text) override;
  void Integer(int64_t value) override;
  void Bulk(std::string_view bytes) override;
  void BulkRef(const BufferRef& owner, std::string_view bytes) override;
  void Null() override;
  void NullArray() override;
  void Double(double value) override;
  void Boolean(bool value) override;
  void Verbatim(std::string_view format, std::string_view text) override;
  void ArrayHeader(size_t count) override;
  void MapHeader(size_t pairs) override;
  void SetHeader(size_t count) override;

 private:
  void Scalar(std::string_view text);
  void Open(std::string_view mark, size_t count);
  void Separate();
  void Close();

  const Protocol protocol_;
  std::string text_;
  std::vector<size_t> open_;  // Of each aggregate that is open, how many replies it still lacks.
  bool first_ = true;         // In the innermost aggregate.
  int replies_ = 0;
  int references_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_RECORDED_REPLY_H_
