#include "cache/multi_shard_commands.h"

#include <optional>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "base/cycle_clock.h"
#include "cache/commands/coordination.h"
#include "cache/commands/errors.h"
#include "cache/commands/lcs.h"
#include "cache/shard.h"

namespace tidemark::cache {
namespace {

using Kind = ReplyTape::Kind;

// Each shard runs the command on its own keys: DEL, EXISTS, MGET, MSET.
class KeysTransaction final : public CommandTransaction {
 public:
  KeysTransaction(SessionCore& session, uint64_t slot, const CommandSpec& command, Args args)
      : CommandTransaction(session, slot, command, args, /*phases=*/1) {
    CutByKeys();
  }

 private:
  void RunPart(Shard& shard, Part& part, size_t index, int phase) override {
    RunShare(shard, part, index);
  }

  bool ReadsValues(size_t part) const override { return command().scatter == Scatter::kGather; }

  void Answer(ReplyBuilder& reply) override {
    std::vector<ReplyTape::Reader> answers;
    int64_t sum = 0;
    for (Part& part : parts()) {
      ReplyTape::Reader& answer = answers.emplace_back(part.reply);
      if (answer.kind() == Kind::kError) return answer.PlayReply(reply);
      if (answer.kind() == Kind::kInteger) sum += static_cast<int64_t>(answer.number());
    }
    switch (command().scatter) {
      case Scatter::kSum:
        return reply.Integer(sum);
      case Scatter::kGather:
        // The shares keep the order of the arguments, so each answers its keys in turn.
        for (ReplyTape::Reader& answer : answers) answer.SkipEvent();
        reply.ArrayHeader(part_of_key().size());
        for (size_t part : part_of_key()) answers[part].PlayReply(reply);
        return;
      default:
        return answers.front().PlayReply(reply);
    }
  }
};

// Every shard runs the whole command, all of it held: FLUSHALL, DBSIZE, KEYS, RANDOMKEY. What they
// answer says how it is joined: integers are added, arrays strung together, of single values one is
// drawn.
class AllShardsTransaction final : public CommandTransaction {
 public:
  AllShardsTransaction(SessionCore& session, uint64_t slot, const CommandSpec& command, Args args)
      : CommandTransaction(session, slot, command, args, /*phases=*/1),
        sizes_(static_cast<size_t>(origin().shard_count())) {
    TakeWholeShards();
  }

 private:
  void RunPart(Shard& shard, Part& part, size_t index, int phase) override {
    sizes_[index] = shard.keyspace().size();
    RunShare(shard, part, index);
  }

  void Answer(ReplyBuilder& reply) override {
    std::vector<ReplyTape::Reader> answers;
    for (Part& part : parts()) answers.emplace_back(part.reply);
    switch (answers.front().kind()) {
      case Kind::kInteger:
        return Add(answers, reply);
      case Kind::kArray:
        return String(answers, reply);
      case Kind::kStatus:
      case Kind::kError:
        return answers.front().PlayReply(reply);
      default:
        return Draw(answers, reply);
    }
  }

  static void Add(std::vector<ReplyTape::Reader>& answers, ReplyBuilder& reply) {
    int64_t sum = 0;
    for (const ReplyTape::Reader& answer : answers) sum += static_cast<int64_t>(answer.number());
    reply.Integer(sum);
  }

  static void String(std::vector<ReplyTape::Reader>& answers, ReplyBuilder& reply) {
    size_t total = 0;
    for (const ReplyTape::Reader& answer : answers) total += answer.number();
    reply.ArrayHeader(total);
    for (ReplyTape::Reader& answer : answers) {
      answer.SkipEvent();
      while (!answer.done()) answer.PlayReply(reply);
    }
  }

  // Each shard's value with a probability in proportion to the shard's size, so that every key has
  // the same.
  void Draw(std::vector<ReplyTape::Reader>& answers, ReplyBuilder& reply) {
    uint64_t total = 0;
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].kind() == Kind::kNull) sizes_[i] = 0;
      total += sizes_[i];
    }
    if (total == 0) return answers.front().PlayReply(reply);
    uint64_t drawn = KeyRef::Of(args()[0]).hash ^ CycleClock::Calibrated().Now();
    drawn = drawn * 0x9e3779b97f4a7c15 >> 16;  // Fibonacci hashing (Knuth, TAOCP 3, 6.4).
    drawn %= total;
    size_t i = 0;
    while (drawn >= sizes_[i]) drawn -= sizes_[i++];
    answers[i].PlayReply(reply);
  }

  std::vector<size_t> sizes_;  // Each written by its shard.
};

// MSETNX: looks at every key before any is set.
class MsetnxTransaction final : public CommandTransaction {
 public:
  MsetnxTransaction(SessionCore& session, uint64_t slot, const CommandSpec& command, Args args)
      : CommandTransaction(session, slot, command, args, /*phases=*/2) {
    CutByKeys();
    found_.resize(parts().size());
  }

 private:
  void RunPart(Shard& shard, Part& part, size_t index, int phase) override {
    const Share& mine = share(index);
    if (phase == 0) {
      for (size_t k = 0; k < mine.hashes.size(); ++k) {
        const KeyRef key{mine.args[1 + 2 * k], mine.hashes[k]};
        if (shard.keyspace().Peek(key) != nullptr) found_[index] = 1;
      }
    } else if (!refused_) {
      RunShare(shard, part, index);
    }
  }

  void Between() override {
    for (char found : found_) refused_ |= found != 0;
  }

  void Answer(ReplyBuilder& reply) override { reply.Integer(refused_ ? 0 : 1); }

  std::vector<char> found_;  // By part; not bits, as each is written by its shard.
  bool refused_ = false;
};

// RENAME, RENAMENX and COPY from one shard to another: the value is read, then written.
class MoveTransaction final : public CommandTransaction {
 public:
  struct Rules {
    bool keeps_source = false;     // COPY
    bool replaces_target = false;  // RENAME, COPY REPLACE
    bool needs_source = false;     // An error without it; else 0.
    bool answers_status = false;   // OK, not 1.
  };

  MoveTransaction(SessionCore& session, uint64_t slot, const CommandSpec& command, Args args,
                  const Rules& rules)
      : CommandTransaction(session, slot, command, args, /*phases=*/2), rules_(rules) {
    CutByKeys();
  }

 private:
  void RunPart(Shard& shard, Part& part, size_t index, int phase) override {
    const bool is_source = part_of_key()[0] == index;
    Keyspace& keyspace = shard.keyspace();
    const KeyRef key{share(index).args[1], share(index).hashes.front()};
    if (phase == 0) {
      const Entry* entry = keyspace.Peek(key);
      if (!is_source) {
        target_exists_ = entry != nullptr;
      } else if (entry != nullptr) {
        value_ = HoldValue(shard, part, *entry);
        expiry_ = entry->expiry();
      }
      return;
    }
    if (!moves()) return;
    if (!is_source) {
      Mark(shard, [&] { keyspace.Set(key, value_->view(), expiry_); });
    } else if (!rules_.keeps_source) {
      Mark(shard, [&] { keyspace.Delete(key); });
    }
  }

  bool ReadsValues(size_t part) const override { return part_of_key()[0] == part; }

  void Between() override {
    if (rules_.keeps_source) SetWriters({parts()[part_of_key()[1]].shard});
  }

  void Answer(ReplyBuilder& reply) override {
    for (Part& part : parts()) {
      if (!part.reply.empty()) return ReplyTape::Reader(part.reply).PlayReply(reply);
    }
    if (!value_ && rules_.needs_source) return reply.Error(kNoSuchKey);
    if (rules_.answers_status) return reply.Ok();
    reply.Integer(moves() ? 1 : 0);
  }

  bool moves() const {
    return value_.get() != nullptr && (rules_.replaces_target || !target_exists_);
  }

  const Rules rules_;
  BufferRef value_;             // Written by the source's shard in phase 0, then only read, as is:
  Expiry expiry_;               // The source's.
  bool target_exists_ = false;  // Written by the target's shard in phase 0, then only read.
};

// LCS of two strings on different shards, compared at the origin.
class LcsTransaction final : public CommandTransaction {
 public:
  LcsTransaction(SessionCore& session, uint64_t slot, const CommandSpec& command, Args args,
                 const LcsOptions& options)
      : CommandTransaction(session, slot, command, args, /*phases=*/1), options_(options) {
    CutByKeys();
  }

 private:
  void RunPart(Shard& shard, Part& part, size_t index, int phase) override {
    const Share& mine = share(index);
    const KeyRef key{mine.args[1], mine.hashes.front()};
    const Entry* entry = no_touch() ? shard.keyspace().Peek(key) : shard.keyspace().Find(key);
    if (entry == nullptr) return;
    if (entry->type() != ValueType::kString) return part.reply.Error(kWrongType);
    values_[index] = HoldValue(shard, part, *entry);
  }

  bool ReadsValues(size_t part) const override { return true; }

  void Answer(ReplyBuilder& reply) override {
    for (Part& part : parts()) {
      if (!part.reply.empty()) return ReplyTape::Reader(part.reply).PlayReply(reply);
    }
    const auto value = [this](size_t key) {
      const BufferRef& held = values_[part_of_key()[key]];
      return held ? held->view() : std::string_view();
    };
    AnswerLcs(value(0), value(1), options_, reply);
  }

  const LcsOptions options_;
  BufferRef values_[2];  // By part; each written by its shard.
};

}  // namespace

std::unique_ptr<Transaction> MakeMultiShardCommand(SessionCore& session, uint64_t slot,
                                                   const CommandSpec& command, Args args,
                                                   ReplyBuilder& errors) {
  if (command.scatter == Scatter::kAllShards) {
    if (command.is_write() && !CheckFlush(args, errors)) return nullptr;
    return std::make_unique<AllShardsTransaction>(session, slot, command, args);
  }
  const std::string_view name = command.name;
  if (command.scatter == Scatter::kPairs || name == "msetnx") {
    if (!CheckPairs(command, args, errors)) return nullptr;
  }
  if (command.scatter != Scatter::kCustom) {
    return std::make_unique<KeysTransaction>(session, slot, command, args);
  }
  if (name == "msetnx") {
    return std::make_unique<MsetnxTransaction>(session, slot, command, args);
  }
  if (name == "lcs") {
    const std::optional<LcsOptions> options = ParseLcs(args, errors);
    if (!options) return nullptr;
    return std::make_unique<LcsTransaction>(session, slot, command, args, *options);
  }
  MoveTransaction::Rules rules;
  if (name == "copy") {
    const std::optional<CopyOptions> options = ParseCopy(args, errors);
    if (!options) return nullptr;
    rules = {.keeps_source = true, .replaces_target = options->replace};
  } else if (name == "rename") {
    rules = {.replaces_target = true, .needs_source = true, .answers_status = true};
  } else {
    CHECK(name == "renamenx");  // A row of the command table that nobody taught us.
    rules = {.needs_source = true};
  }
  return std::make_unique<MoveTransaction>(session, slot, command, args, rules);
}

}  // namespace tidemark::cache
