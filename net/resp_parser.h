// RespParser cuts a stream of bytes into commands: RESP arrays of bulk strings, and inline commands
// (lines of words with quotes). It does no I/O and copies nothing: arguments are views into the
// caller's bytes.
//
//   parser.Parse(input, options, batch);   // input starts where the last unfinished command starts
//   ... run batch.commands() ...
//   input.remove_prefix(batch.consumed());
//
// What was learned of an unfinished command is kept, so that the bytes of a command that comes in
// many pieces are looked at once. The limits and error texts are those of Redis 7.0 (docs/resp.md).
//
// Threading: none; a core.

#ifndef TIDEMARK_NET_RESP_PARSER_H_
#define TIDEMARK_NET_RESP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::net {

// One command and its arguments, the name first; never empty. Good while the input and the batch
// are.
struct ParsedCommand {
  std::span<const std::string_view> args;
};

// The commands of one Parse(). Reused from call to call, best by all connections of a thread.
class CommandBatch {
 public:
  static constexpr size_t kMaxCommands = 32;

  std::span<const ParsedCommand> commands() const { return {commands_, count_}; }
  // Bytes of input that the first `commands` commands take, and what may be skipped after them.
  size_t consumed(size_t commands) const {
    return commands == count_ ? consumed_ : ends_[commands];
  }
  size_t consumed() const { return consumed_; }
  // Whether the input may hold more whole commands: the batch was full, or is to be run first.
  bool more() const { return more_; }

 private:
  friend class RespParser;

  void Clear();
  void EndCommand(size_t first_arg, size_t end);
  void MakeSpans();
  void Push(std::string_view arg) {
    if (args_used_ == args_capacity_) [[unlikely]]
      GrowArgs();
    args_[args_used_++] = arg;
  }
  void GrowArgs();

  std::unique_ptr<std::string_view[]> args_;
  size_t args_used_ = 0;
  size_t args_capacity_ = 0;
  std::deque<std::string> unquoted_;  // Arguments that were written with quotes.
  size_t count_ = 0;
  size_t consumed_ = 0;
  bool more_ = false;
  ParsedCommand commands_[kMaxCommands];
  size_t first_args_[kMaxCommands + 1] = {};
  size_t ends_[kMaxCommands + 1] = {};  // ends_[i]: bytes that the first i commands take.
};

class RespParser {
 public:
  struct Options {
    int64_t max_bulk_bytes = 512 << 20;  // proto-max-bulk-len.
    // Before a client has authenticated, its requests must be small, and are parsed one at a time
    // because the next may be the one that changes that.
    enum class Trust : uint8_t { kAuthenticated, kUnauthenticated } trust = Trust::kAuthenticated;
  };

  static constexpr int64_t kMaxArguments = INT32_MAX;
  static constexpr size_t kMaxLineBytes = 64 * 1024;  // An inline command, or a length's digits.
  static constexpr int64_t kMaxUnauthenticatedArguments = 10;
  static constexpr int64_t kMaxUnauthenticatedBulkBytes = 16 * 1024;

  // Parses whole commands from the start of `input` into `batch`, at most
  // CommandBatch::kMaxCommands. Returns an empty string, or, if the very first command is
  // malformed, the text for the client, without a code ("Protocol error: ..."): the batch is empty
  // then and the connection is to be closed.
  //
  // Requires: `input` is what the last call's input held beyond what it consumed, and new bytes
  // after that; otherwise call Restart() first.
  std::string_view Parse(std::string_view input, const Options& options, CommandBatch& batch);

  // Forgets the unfinished command: the next input starts at a command's first byte, and may be
  // anything.
  void Restart();

  // If the input ended within a bulk string, the bytes that it still lacks; else 0.
  size_t missing_bytes() const { return missing_; }

 private:
  struct Slice {
    size_t offset;
    size_t size;
  };
  enum class Outcome { kCommand, kNothing, kNeedMore, kError };
  struct Cursor;
  class BatchSink;
  class SliceSink;

  static const char* ParseWhole(const char* at, const char* end, int64_t max_bulk,
                                CommandBatch& batch);
  Outcome ParseMultibulk(Cursor& cursor);
  template <typename Sink>
  Outcome ParseArguments(Cursor& cursor, const char* at, Sink sink);
  Outcome ParseInline(Cursor& cursor);
  Outcome Fail(std::string_view error);

  // Of the unfinished command; places are relative to its first byte.
  size_t scanned_ = 0;     // Everything before is understood. 0: nothing is yet.
  int64_t remaining_ = 0;  // Arguments still to come.
  int64_t bulk_ = -1;      // The length of the argument at scanned_; -1 before its header is read.
  size_t missing_ = 0;
  std::vector<Slice> args_;  // The arguments so far.
  std::string error_;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_RESP_PARSER_H_
