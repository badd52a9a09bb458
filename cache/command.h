// The command table: one row per command, from which dispatch, COMMAND and the documentation come.
//
// A row is data: constexpr arrays beside the handlers, in cache/commands/ for the commands on data
// and in server/ for those about the server. CommandTable collects them at startup, finds them by
// name.

#ifndef TIDEMARK_CACHE_COMMAND_H_
#define TIDEMARK_CACHE_COMMAND_H_

#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "cache/cold_access.h"
#include "cache/keyspace.h"
#include "cache/reply.h"

namespace tidemark::cache {

// args[0] is the command's name as the client wrote it; a container's subcommand is args[1].
using Args = std::span<const std::string_view>;

// Bits of CommandSpec::flags; the names that COMMAND shows are in commands/command_reply.cc.
enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kFast = 1u << 4,
  kNoAuth = 1u << 5,
  kLoading = 1u << 6,
  kStale = 1u << 7,
  kNoScript = 1u << 8,
  kBlocking = 1u << 9,
  kSkipSlowlog = 1u << 10,
  kSkipMonitor = 1u << 11,
  kAllowBusy = 1u << 12,
  kPubSub = 1u << 13,
  kNoAsyncLoading = 1u << 14,
  kNoMulti = 1u << 15,
  kMovableKeys = 1u << 16,
  kNoMandatoryKeys = 1u << 17,
};

// How a command whose keys lie on several shards is carried out; see multi_shard.h.
enum class Scatter {
  kNone,       // One key, or keys that must be on one shard, or none.
  kSum,        // Each shard runs its part of the keys; the integers are added (DEL, EXISTS).
  kGather,     // Each shard answers its keys; one array in the order of the arguments (MGET).
  kPairs,      // Each shard runs its part of the key-value pairs; OK (MSET).
  kCustom,     // A coordinator of its own (MSETNX, RENAME, COPY, LCS).
  kAllShards,  // Every shard takes part (FLUSHALL, DBSIZE, KEYS, RANDOMKEY).
  kCursor,     // One shard at a time, named by the cursor (SCAN).
};

struct CommandSpec;

// What a command runs against: one shard, on its thread.
struct CommandContext {
  Keyspace& keyspace;
  const CommandSpec& spec;
  uint64_t key_hash = 0;       // KeyHash of args[spec.first_key], if the command has a key.
  bool no_touch = false;       // CLIENT NO-TOUCH: reads leave the access clock alone.
  ColdAccess* cold = nullptr;  // Null: no value is on disk.

  // The hashed key of argument `index`.
  KeyRef Key(Args args, size_t index) const {
    return index == static_cast<size_t>(first_key()) ? KeyRef{args[index], key_hash}
                                                     : KeyRef::Of(args[index]);
  }
  int first_key() const;
};

// Answers exactly one reply. A command that fails leaves the keyspace as it was. One that needs a
// value from disk leaves it so as well, answers nothing, and is called again; see ColdAccess.
using CommandHandler = void (*)(CommandContext& context, Args args, ReplyBuilder& reply);

// Where a command's keys are among its arguments.
struct KeyRange {
  int first = 0;  // 0: no keys.
  int last = 0;   // Negative counts from the end.
  int step = 0;
};

// What a command does to the keys of one range, as COMMAND INFO shows it.
struct KeySpec {
  // Exactly one of the first four: reads only; reads and writes; overwrites unread; removes.
  static constexpr uint32_t kRo = 1, kRw = 2, kOw = 4, kRm = 8;
  // Returns or copies the value; changes it; adds a key or a value; deletes it.
  static constexpr uint32_t kAccess = 16, kUpdate = 32, kInsert = 64, kDelete = 128;
  static constexpr uint32_t kVariableFlags = 256;  // Fewer, depending on the arguments.

  uint32_t flags = 0;
  KeyRange keys = {};
};

// One row of the documentation of an argument (COMMAND DOCS).
struct ArgumentDoc {
  std::string_view name;
  // "key", "string", "integer", "double", "pure-token", "oneof", "block", "unix-time" or "pattern".
  std::string_view type;
  std::string_view token = {};                  // Empty if none.
  uint32_t flags = 0;                           // kOptional, kMultiple, kMultipleToken.
  std::span<const ArgumentDoc> arguments = {};  // Of a oneof or a block.
  std::string_view since = {};                  // Empty: as old as the command.
  std::string_view deprecated_since = {};       // Empty: it is not.
  int key_spec = 0;  // Of a key: which of the command's key specs it is in.

  static constexpr uint32_t kOptional = 1, kMultiple = 2, kMultipleToken = 4;
};

struct CommandSpec {
  std::string_view name;  // Lower case; a subcommand's is "client|list".
  int arity = 0;          // Of the whole command with its name; negative: at least that many.
  uint32_t flags = 0;
  KeyRange keys = {};
  CommandHandler handler = nullptr;  // Null: the server runs it.
  Scatter scatter = Scatter::kNone;
  std::string_view categories = {};  // "@read @string @fast", as ACL CAT names them.
  std::string_view since = {};
  std::string_view group = {};  // "string", "generic", "server", "connection".
  std::string_view complexity = {};
  std::string_view summary = {};  // One sentence of our own.
  std::span<const CommandSpec> subcommands = {};
  std::span<const ArgumentDoc> arguments = {};
  std::span<const KeySpec> key_specs = {};  // Together they cover `keys`.
  std::string_view tips = {};  // For proxies and clients: "request_policy:all_shards ...".
  std::string_view deprecated_since = {};
  std::string_view replaced_by = {};  // Of a deprecated command.
  // Its place among all rows of a CommandTable, which assigns it; counters are indexed by it.
  int id = -1;

  bool is_write() const { return (flags & kWrite) != 0; }
  bool ArityFits(size_t argc) const {
    return arity >= 0 ? argc == static_cast<size_t>(arity) : argc >= static_cast<size_t>(-arity);
  }
};

inline int CommandContext::first_key() const { return spec.keys.first; }

// Finds rows by name, in any case. Immutable after Add; then safe from any thread.
class CommandTable {
 public:
  CommandTable() = default;
  CommandTable(CommandTable&&) = default;
  CommandTable& operator=(CommandTable&&) = default;

  // The rows of cache/commands: strings, keys, expiry. (Link //cache/commands.)
  static std::span<const CommandSpec> DataCommands();

  // Copies `rows` and gives each, and each of their subcommands, an id. Names are unique.
  void Add(std::span<const CommandSpec> rows);
  int size() const;  // Ids are 0 to size() - 1.
  const CommandSpec& ById(int id) const;
  // Null if there is none. A hit costs one hash and one comparison: every command takes this path.
  const CommandSpec* Find(std::string_view name) const;
  // The subcommand's row, `parent` itself if it has none, or null if args[1] names none of them.
  static const CommandSpec* FindSubcommand(const CommandSpec& parent, Args args);
  std::vector<const CommandSpec*> All() const;  // By name.

 private:
  // The first 16 bytes of a name in lower case, zero after its end: what a lookup hashes and
  // compares.
  struct FoldedName {
    uint64_t low = 0;
    uint64_t high = 0;
    bool operator==(const FoldedName&) const = default;
  };
  struct Slot {
    FoldedName name;
    const CommandSpec* spec = nullptr;
  };
  static FoldedName Fold(std::string_view name);
  size_t FirstSlot(const FoldedName& name) const;
  void Index(const CommandSpec* spec);

  std::deque<CommandSpec> rows_;  // Stable addresses.
  std::deque<std::vector<CommandSpec>> subcommands_;
  std::vector<const CommandSpec*> by_id_;
  std::vector<Slot> slots_;  // Open addressing; a power of two, at most a quarter full.
};

// The positions of the keys in `args`, ascending.
std::vector<int> KeyPositions(const KeyRange& keys, Args args);
inline std::vector<int> KeyPositions(const CommandSpec& spec, Args args) {
  return KeyPositions(spec.keys, args);
}

// Replies shared by many commands, with Redis' own texts.
void WrongArity(const CommandSpec& spec, ReplyBuilder& reply);
void UnknownCommand(Args args, ReplyBuilder& reply);
void UnknownSubcommand(const CommandSpec& spec, Args args, ReplyBuilder& reply);
// What a subcommand answers that judges the number of its arguments itself.
void UnknownSubcommandOrArity(Args args, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMAND_H_
