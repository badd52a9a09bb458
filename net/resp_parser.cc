#include "net/resp_parser.h"

#include <algorithm>
#include <cstring>

namespace tidemark::net {
namespace {

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') <= 9; }

bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');  // Tab, line feed, vertical tab, form feed, return.
}

// Vertical tab and form feed separate words, but do not end one.
bool EndsWord(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A canonical decimal: no sign but '-', no leading zero, within 64 bits.
bool ParseDecimal(std::string_view text, int64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 18) return false;
  if (text[0] == '0' && (text.size() > 1 || negative)) return false;
  int64_t sum = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return false;
    sum = sum * 10 + (c - '0');
  }
  *value = negative ? -sum : sum;
  return true;
}

enum class LineEnd { kFound, kNeedMore, kTooLong };

// Finds the '\r' of a length's line; the byte after it must have come too, but may be anything.
LineEnd FindLineEnd(const char* line, const char* end, const char** found) {
  const size_t available = static_cast<size_t>(end - line);
  const size_t searched = std::min(available, RespParser::kMaxLineBytes + 1);
  const void* at = std::memchr(line, '\r', searched);
  if (at == nullptr) {
    return available > RespParser::kMaxLineBytes ? LineEnd::kTooLong : LineEnd::kNeedMore;
  }
  *found = static_cast<const char*>(at);
  return end - *found < 2 ? LineEnd::kNeedMore : LineEnd::kFound;
}

// The common case of a length's line: a mark, one to nine canonical digits, "\r" and one more byte.
// Returns what follows, or null if the line is anything else or not all there with at least two
// bytes more, which every whole command has; `*value` is then as it was.
inline const char* ParsePlainLength(const char* line, const char* end, char mark, int64_t* value) {
  if (end - line < 6 || *line != mark) return nullptr;
  const unsigned first = static_cast<unsigned char>(line[1] - '0');
  if (first > 9) return nullptr;
  if (line[2] == '\r') {
    *value = first;
    return line + 4;
  }
  const unsigned second = static_cast<unsigned char>(line[2] - '0');
  if (second > 9 || first == 0) return nullptr;
  int64_t sum = first * 10 + second;
  if (line[3] == '\r') {
    *value = sum;
    return line + 5;
  }
  const char* at = line + 3;
  // The loop ends at a byte that is no digit, at the latest at the last byte of input.
  const char* last = std::min(end - 1, line + 10);
  while (at < last && IsDigit(*at)) sum = sum * 10 + (*at++ - '0');
  if (*at != '\r' || end - at < 2) return nullptr;
  *value = sum;
  return at + 2;
}

// Undoes the quotes of the word at `at`, of which `*word` holds the plain beginning. Returns its
// end, or null if the quotes do not balance.
const char* UnquoteWord(const char* at, const char* end, std::string* word) {
  while (at < end && !EndsWord(*at)) {
    const char quote = *at;
    if (quote != '"' && quote != '\'') {
      word->push_back(*at++);
      continue;
    }
    ++at;
    for (;; ++at) {
      if (at == end) return nullptr;
      if (*at == quote) break;
      if (*at != '\\' || end - at < 2) {
        word->push_back(*at);
      } else if (quote == '\'') {
        // Between single quotes only the quote itself can be escaped.
        if (at[1] == '\'') ++at;
        word->push_back(*at);
      } else if (at[1] == 'x' && end - at >= 4 && HexDigit(at[2]) >= 0 && HexDigit(at[3]) >= 0) {
        word->push_back(static_cast<char>(HexDigit(at[2]) * 16 + HexDigit(at[3])));
        at += 3;
      } else {
        ++at;
        constexpr std::string_view kNames = "nrtba", kValues = "\n\r\t\b\a";
        const size_t i = kNames.find(*at);
        word->push_back(i == std::string_view::npos ? *at : kValues[i]);
      }
    }
    ++at;
    // A word ends with its closing quote.
    return at == end || IsSpace(*at) ? at : nullptr;
  }
  return at;
}

}  // namespace

void CommandBatch::Clear() {
  args_used_ = 0;
  count_ = 0;
  consumed_ = 0;
  more_ = false;
  if (!unquoted_.empty()) unquoted_.clear();
  // One huge command must not hold its memory for ever.
  constexpr size_t kKeptArgs = 64 * 1024;
  if (args_capacity_ > kKeptArgs) [[unlikely]] {
    args_.reset();
    args_capacity_ = 0;
  }
}

void CommandBatch::GrowArgs() {
  const size_t capacity = std::max<size_t>(256, args_capacity_ * 2);
  auto grown = std::make_unique<std::string_view[]>(capacity);
  std::copy_n(args_.get(), args_used_, grown.get());
  args_ = std::move(grown);
  args_capacity_ = capacity;
}

void CommandBatch::EndCommand(size_t first_arg, size_t end) {
  first_args_[count_] = first_arg;
  ++count_;
  first_args_[count_] = args_used_;
  ends_[count_] = end;
}

// Only now do the arguments no longer move.
void CommandBatch::MakeSpans() {
  for (size_t i = 0; i < count_; ++i) {
    commands_[i].args = {args_.get() + first_args_[i], first_args_[i + 1] - first_args_[i]};
  }
}

struct RespParser::Cursor {
  const char* start;  // Of the command.
  const char* end;    // Of the input.
  const char* next;   // After the command, or after what may be skipped.
  const Options& options;
  CommandBatch& batch;
};

// Takes the arguments of a command that begins in this input.
class RespParser::BatchSink {
 public:
  explicit BatchSink(CommandBatch& batch) : batch_(batch), first_(batch.args_used_) {}

  void Push(const char* at, size_t size) { batch_.Push({at, size}); }
  void Finish(RespParser& parser, const Cursor& cursor) {}
  // The arguments become places, because the bytes may move before the rest comes.
  void Suspend(RespParser& parser, const Cursor& cursor) {
    for (size_t i = first_; i < batch_.args_used_; ++i) {
      const std::string_view arg = batch_.args_[i];
      parser.args_.push_back({static_cast<size_t>(arg.data() - cursor.start), arg.size()});
    }
    batch_.args_used_ = first_;
  }

 private:
  CommandBatch& batch_;
  const size_t first_;
};

// Takes those of a command that comes in pieces.
class RespParser::SliceSink {
 public:
  SliceSink(RespParser& parser, const char* start) : args_(parser.args_), start_(start) {}

  void Push(const char* at, size_t size) {
    args_.push_back({static_cast<size_t>(at - start_), size});
  }
  void Finish(RespParser& parser, const Cursor& cursor) {
    for (const Slice& arg : args_) cursor.batch.Push({start_ + arg.offset, arg.size});
    parser.Restart();
  }
  void Suspend(RespParser& parser, const Cursor& cursor) {}

 private:
  std::vector<Slice>& args_;
  const char* const start_;
};

void RespParser::Restart() {
  scanned_ = 0;
  remaining_ = 0;
  bulk_ = -1;
  missing_ = 0;
  if (args_.capacity() > 0) std::vector<Slice>().swap(args_);
}

std::string_view RespParser::Parse(std::string_view input, const Options& options,
                                   CommandBatch& batch) {
  batch.Clear();
  missing_ = 0;
  const size_t max_commands =
      options.trust == Options::Trust::kAuthenticated ? CommandBatch::kMaxCommands : 1;
  const char* const begin = input.data();
  Cursor cursor{begin, begin + input.size(), begin, options, batch};
  // An unfinished command is at the start of the input if anywhere.
  bool fresh = scanned_ == 0 && options.trust == Options::Trust::kAuthenticated;
  while (cursor.start != cursor.end) {
    if (batch.count_ == max_commands) {
      batch.more_ = true;
      break;
    }
    const size_t first_arg = batch.args_used_;
    if (fresh) [[likely]] {
      const char* next = ParseWhole(cursor.start, cursor.end, options.max_bulk_bytes, batch);
      if (next != nullptr) [[likely]] {
        cursor.start = next;
        batch.EndCommand(first_arg, static_cast<size_t>(next - begin));
        continue;
      }
    }
    const Outcome outcome = *cursor.start == '*' ? ParseMultibulk(cursor) : ParseInline(cursor);
    fresh = options.trust == Options::Trust::kAuthenticated;
    if (outcome == Outcome::kCommand) {
      cursor.start = cursor.next;
      batch.EndCommand(first_arg, static_cast<size_t>(cursor.start - begin));
    } else if (outcome == Outcome::kNothing) {
      cursor.start = cursor.next;
    } else if (outcome == Outcome::kNeedMore) {
      break;
    } else {
      batch.args_used_ = first_arg;
      Restart();
      if (batch.count_ == 0) {
        batch.consumed_ = static_cast<size_t>(cursor.start - begin);
        return error_;
      }
      // Those before are to be run first; the next call meets the error again.
      batch.more_ = true;
      break;
    }
  }
  batch.consumed_ = static_cast<size_t>(cursor.start - begin);
  batch.MakeSpans();
  return {};
}

// Takes a command of a few arguments, plainly written, of which all is there: what nearly every
// command is. Returns what follows it, or null if it is anything else; then nothing has changed.
const char* RespParser::ParseWhole(const char* at, const char* end, int64_t max_bulk,
                                   CommandBatch& batch) {
  int64_t count;
  at = ParsePlainLength(at, end, '*', &count);
  if (at == nullptr || count == 0) return nullptr;
  if (static_cast<size_t>(count) > batch.args_capacity_ - batch.args_used_) return nullptr;
  std::string_view* arg = batch.args_.get() + batch.args_used_;
  for (std::string_view* const last = arg + count; arg != last; ++arg) {
    int64_t size;
    at = ParsePlainLength(at, end, '$', &size);
    if (at == nullptr || size > max_bulk || end - at < size + 2) return nullptr;
    *arg = {at, static_cast<size_t>(size)};
    at += size + 2;
  }
  batch.args_used_ += static_cast<size_t>(count);
  return at;
}

RespParser::Outcome RespParser::ParseMultibulk(Cursor& cursor) {
  if (scanned_ != 0) {
    return ParseArguments(cursor, cursor.start + scanned_, SliceSink(*this, cursor.start));
  }
  int64_t count;
  const char* at = ParsePlainLength(cursor.start, cursor.end, '*', &count);
  if (at == nullptr) {
    const char* line_end;
    switch (FindLineEnd(cursor.start, cursor.end, &line_end)) {
      case LineEnd::kNeedMore:
        return Outcome::kNeedMore;
      case LineEnd::kTooLong:
        return Fail("too big mbulk count string");
      case LineEnd::kFound:
        break;
    }
    if (!ParseDecimal({cursor.start + 1, line_end}, &count) || count > kMaxArguments) {
      return Fail("invalid multibulk length");
    }
    at = line_end + 2;
  }
  if (count > kMaxUnauthenticatedArguments &&
      cursor.options.trust == Options::Trust::kUnauthenticated) {
    return Fail("unauthenticated multibulk length");
  }
  if (count <= 0) {
    cursor.next = at;
    return Outcome::kNothing;
  }
  remaining_ = count;
  return ParseArguments(cursor, at, BatchSink(cursor.batch));
}

template <typename Sink>
RespParser::Outcome RespParser::ParseArguments(Cursor& cursor, const char* at, Sink sink) {
  const char* const end = cursor.end;
  int64_t remaining = remaining_;
  int64_t bulk = bulk_;
  do {
    if (bulk < 0) {
      const char* after = ParsePlainLength(at, end, '$', &bulk);
      if (after == nullptr) {
        const char* line_end;
        const LineEnd found = FindLineEnd(at, end, &line_end);
        if (found == LineEnd::kTooLong) return Fail("too big bulk count string");
        if (found == LineEnd::kNeedMore) break;
        if (*at != '$') {
          return Fail(std::string("expected '$', got '") + *at + "'");
        }
        if (!ParseDecimal({at + 1, line_end}, &bulk) || bulk < 0) {
          return Fail("invalid bulk length");
        }
        after = line_end + 2;
      }
      if (bulk > cursor.options.max_bulk_bytes) return Fail("invalid bulk length");
      if (bulk > kMaxUnauthenticatedBulkBytes &&
          cursor.options.trust == Options::Trust::kUnauthenticated) {
        return Fail("unauthenticated bulk length");
      }
      at = after;
    }
    // Two more for the line's end, whatever they are.
    if (end - at < bulk + 2) {
      missing_ = static_cast<size_t>(bulk + 2 - (end - at));
      break;
    }
    sink.Push(at, static_cast<size_t>(bulk));
    at += bulk + 2;
    bulk = -1;
  } while (--remaining > 0);

  if (remaining == 0) {
    bulk_ = -1;
    sink.Finish(*this, cursor);
    cursor.next = at;
    return Outcome::kCommand;
  }
  scanned_ = static_cast<size_t>(at - cursor.start);
  remaining_ = remaining;
  bulk_ = bulk;
  sink.Suspend(*this, cursor);
  return Outcome::kNeedMore;
}

RespParser::Outcome RespParser::ParseInline(Cursor& cursor) {
  const size_t available = static_cast<size_t>(cursor.end - cursor.start);
  const void* found = std::memchr(cursor.start, '\n', std::min(available, kMaxLineBytes + 1));
  if (found == nullptr) {
    return available > kMaxLineBytes ? Fail("too big inline request") : Outcome::kNeedMore;
  }
  const char* line_end = static_cast<const char*>(found);
  cursor.next = line_end + 1;
  if (line_end > cursor.start && line_end[-1] == '\r') --line_end;

  bool any = false;
  for (const char* at = cursor.start;;) {
    while (at < line_end && IsSpace(*at)) ++at;
    if (at == line_end) return any ? Outcome::kCommand : Outcome::kNothing;
    any = true;
    const char* word = at;
    while (at < line_end && !EndsWord(*at) && *at != '"' && *at != '\'') ++at;
    if (at == line_end || EndsWord(*at)) {
      cursor.batch.Push({word, static_cast<size_t>(at - word)});
      continue;
    }
    std::string& unquoted = cursor.batch.unquoted_.emplace_back(word, at);
    at = UnquoteWord(at, line_end, &unquoted);
    if (at == nullptr) return Fail("unbalanced quotes in request");
    cursor.batch.Push(unquoted);
  }
}

RespParser::Outcome RespParser::Fail(std::string_view error) {
  error_ = "Protocol error: ";
  error_ += error;
  return Outcome::kError;
}

}  // namespace tidemark::net
