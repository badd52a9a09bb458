#include "cache/commands/command_reply.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace tidemark::cache {
namespace {

struct FlagName {
  uint32_t flag;
  std::string_view name;
};

constexpr FlagName kCommandFlagNames[] = {
    {kWrite, "write"},
    {kReadOnly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr FlagName kKeyFlagNames[] = {
    {KeySpec::kRo, "RO"},
    {KeySpec::kRw, "RW"},
    {KeySpec::kOw, "OW"},
    {KeySpec::kRm, "RM"},
    {KeySpec::kAccess, "access"},
    {KeySpec::kUpdate, "update"},
    {KeySpec::kInsert, "insert"},
    {KeySpec::kDelete, "delete"},
    {KeySpec::kVariableFlags, "variable_flags"},
};

constexpr FlagName kArgumentFlagNames[] = {
    {ArgumentDoc::kOptional, "optional"},
    {ArgumentDoc::kMultiple, "multiple"},
    {ArgumentDoc::kMultipleToken, "multiple_token"},
};

void FlagSet(uint32_t flags, std::span<const FlagName> names, ReplyBuilder& reply) {
  reply.SetHeader(static_cast<size_t>(std::popcount(flags)));
  for (const FlagName& each : names) {
    if ((flags & each.flag) != 0) reply.Status(each.name);
  }
}

// Calls `word(text)` for each word of `words`, separated by single spaces.
template <typename Word>
void ForEachWord(std::string_view words, Word&& word) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    word(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

size_t CountWords(std::string_view words) {
  return words.empty() ? 0 : 1 + static_cast<size_t>(std::count(words.begin(), words.end(), ' '));
}

void Pair(std::string_view name, std::string_view value, ReplyBuilder& reply) {
  reply.Bulk(name);
  reply.Bulk(value);
}

void Pair(std::string_view name, int value, ReplyBuilder& reply) {
  reply.Bulk(name);
  reply.Integer(value);
}

void AnswerKeySpec(const KeySpec& spec, ReplyBuilder& reply) {
  reply.MapHeader(3);
  reply.Bulk("flags");
  AnswerKeyFlags(spec.flags, reply);
  reply.Bulk("begin_search");
  reply.MapHeader(2);
  Pair("type", "index", reply);
  reply.Bulk("spec");
  reply.MapHeader(1);
  Pair("index", spec.keys.first, reply);
  reply.Bulk("find_keys");
  reply.MapHeader(2);
  Pair("type", "range", reply);
  reply.Bulk("spec");
  reply.MapHeader(3);
  // Clients expect the last key counted from the first, or from the end.
  const int last = spec.keys.last < 0 ? spec.keys.last : spec.keys.last - spec.keys.first;
  Pair("lastkey", last, reply);
  Pair("keystep", spec.keys.step, reply);
  Pair("limit", 0, reply);
}

void AnswerArguments(std::span<const ArgumentDoc> arguments, ReplyBuilder& reply) {
  reply.ArrayHeader(arguments.size());
  for (const ArgumentDoc& argument : arguments) {
    const bool is_key = argument.type == "key";
    reply.MapHeader(2 + (is_key ? 1 : 0) + (argument.token.empty() ? 0 : 1) +
                    (argument.since.empty() ? 0 : 1) + (argument.deprecated_since.empty() ? 0 : 1) +
                    (argument.flags == 0 ? 0 : 1) + (argument.arguments.empty() ? 0 : 1));
    Pair("name", argument.name, reply);
    Pair("type", argument.type, reply);
    if (is_key) Pair("key_spec_index", argument.key_spec, reply);
    if (!argument.token.empty()) Pair("token", argument.token, reply);
    if (!argument.since.empty()) Pair("since", argument.since, reply);
    if (!argument.deprecated_since.empty()) {
      Pair("deprecated_since", argument.deprecated_since, reply);
    }
    if (argument.flags != 0) {
      reply.Bulk("flags");
      FlagSet(argument.flags, kArgumentFlagNames, reply);
    }
    if (!argument.arguments.empty()) {
      reply.Bulk("arguments");
      AnswerArguments(argument.arguments, reply);
    }
  }
}

}  // namespace

void AnswerKeyFlags(uint32_t flags, ReplyBuilder& reply) { FlagSet(flags, kKeyFlagNames, reply); }

void AnswerInfo(const CommandSpec& spec, ReplyBuilder& reply) {
  reply.ArrayHeader(10);
  reply.Bulk(spec.name);
  reply.Integer(spec.arity);
  FlagSet(spec.flags, kCommandFlagNames, reply);
  reply.Integer(spec.keys.first);
  reply.Integer(spec.keys.last);
  reply.Integer(spec.keys.step);
  reply.SetHeader(CountWords(spec.categories));
  ForEachWord(spec.categories, [&](std::string_view category) { reply.Status(category); });
  reply.SetHeader(CountWords(spec.tips));
  ForEachWord(spec.tips, [&](std::string_view tip) { reply.Bulk(tip); });
  reply.SetHeader(spec.key_specs.size());
  for (const KeySpec& keys : spec.key_specs) AnswerKeySpec(keys, reply);
  reply.SetHeader(spec.subcommands.size());
  for (const CommandSpec& subcommand : spec.subcommands) AnswerInfo(subcommand, reply);
}

void AnswerDocs(const CommandSpec& spec, ReplyBuilder& reply) {
  const bool deprecated = !spec.deprecated_since.empty();
  reply.MapHeader(4 + (deprecated ? 3 : 0) + (spec.arguments.empty() ? 0 : 1) +
                  (spec.subcommands.empty() ? 0 : 1));
  Pair("summary", spec.summary, reply);
  Pair("since", spec.since, reply);
  Pair("group", spec.group, reply);
  Pair("complexity", spec.complexity, reply);
  if (deprecated) {
    reply.Bulk("doc_flags");
    reply.SetHeader(1);
    reply.Status("deprecated");
    Pair("deprecated_since", spec.deprecated_since, reply);
    Pair("replaced_by", spec.replaced_by, reply);
  }
  if (!spec.arguments.empty()) {
    reply.Bulk("arguments");
    AnswerArguments(spec.arguments, reply);
  }
  if (!spec.subcommands.empty()) {
    reply.Bulk("subcommands");
    reply.MapHeader(spec.subcommands.size());
    for (const CommandSpec& subcommand : spec.subcommands) {
      reply.Bulk(subcommand.name);
      AnswerDocs(subcommand, reply);
    }
  }
}

}  // namespace tidemark::cache
