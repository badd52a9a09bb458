#include "cache/commands/recorded_reply.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::cache {

std::string Quoted(std::string_view bytes) {
  std::string result = "\"";
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~') {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result + '"';
}

void RecordedReply::Separate() {
  if (open_.empty()) {
    if (replies_++ > 0) text_ += '\n';
  } else if (!first_) {
    text_ += ", ";
  }
  first_ = false;
}

void RecordedReply::Close() {
  while (!open_.empty() && --open_.back() == 0) {
    open_.pop_back();
    text_ += ']';
  }
}

void RecordedReply::Scalar(std::string_view text) {
  Separate();
  text_ += text;
  Close();
}

void RecordedReply::Open(std::string_view mark, size_t count) {
  Separate();
  if (protocol_ == Protocol::kResp3) text_ += mark;
  text_ += '[';
  first_ = true;
  if (count > 0) {
    open_.push_back(count);
    return;
  }
  text_ += ']';
  first_ = false;
  Close();
}

void RecordedReply::Status(std::string_view text) { Scalar(fmt::format("+{}", text)); }
void RecordedReply::Error(std::string_view text) {
  std::string line = fmt::format("-{}", text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  Scalar(line);
}
void RecordedReply::Integer(int64_t value) { Scalar(fmt::format(":{}", value)); }
void RecordedReply::Bulk(std::string_view bytes) { Scalar(Quoted(bytes)); }
void RecordedReply::BulkRef(const BufferRef& owner, std::string_view bytes) {
  ++references_;
  Scalar(Quoted(bytes));
}
void RecordedReply::Null() { Scalar("nil"); }
void RecordedReply::NullArray() { Scalar("nil"); }
void RecordedReply::Double(double value) { Scalar(fmt::format(",{}", value)); }
void RecordedReply::Boolean(bool value) { Scalar(value ? "#1" : "#0"); }
void RecordedReply::Verbatim(std::string_view format, std::string_view text) {
  Scalar(fmt::format("={}:{}", format, Quoted(text)));
}
void RecordedReply::ArrayHeader(size_t count) { Open("", count); }
void RecordedReply::MapHeader(size_t pairs) { Open("%", pairs * 2); }
void RecordedReply::SetHeader(size_t count) { Open("~", count); }

}  // namespace tidemark::cache
