#include "cache/commands/command_docs.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/glob.h"
#include "base/text.h"
#include "cache/commands/command_reply.h"
#include "cache/commands/errors.h"

namespace tidemark::cache {
namespace {

// The row of "name" or "container|subcommand"; null if there is none.
const CommandSpec* FindByFullName(const CommandTable& table, std::string_view name) {
  const size_t bar = name.find('|');
  if (bar == std::string_view::npos) return table.Find(name);
  const CommandSpec* container = table.Find(name.substr(0, bar));
  if (container == nullptr || container->subcommands.empty()) return nullptr;
  const std::string_view words[] = {name.substr(0, bar), name.substr(bar + 1)};
  return CommandTable::FindSubcommand(*container, words);
}

void AnswerAllInfo(const CommandTable& table, ReplyBuilder& reply) {
  const std::vector<const CommandSpec*> all = table.All();
  reply.ArrayHeader(all.size());
  for (const CommandSpec* spec : all) AnswerInfo(*spec, reply);
}

void Info(const CommandTable& table, Args names, ReplyBuilder& reply) {
  if (names.empty()) return AnswerAllInfo(table, reply);
  reply.ArrayHeader(names.size());
  for (const std::string_view name : names) {
    const CommandSpec* spec = FindByFullName(table, name);
    if (spec == nullptr) {
      reply.Null();
    } else {
      AnswerInfo(*spec, reply);
    }
  }
}

void Docs(const CommandTable& table, Args names, ReplyBuilder& reply) {
  std::vector<const CommandSpec*> specs;
  if (names.empty()) specs = table.All();
  for (const std::string_view name : names) {
    if (const CommandSpec* spec = FindByFullName(table, name)) specs.push_back(spec);
  }
  reply.MapHeader(specs.size());
  for (const CommandSpec* spec : specs) {
    reply.Bulk(spec->name);
    AnswerDocs(*spec, reply);
  }
}

bool HasCategory(const CommandSpec& spec, std::string_view category) {
  for (std::string_view rest = spec.categories; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (EqualsIgnoreCase(rest.substr(1, end - 1), category)) return true;  // Without its '@'.
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

void List(const CommandTable& table, Args filter, ReplyBuilder& reply) {
  enum class By { kNothing, kModule, kCategory, kPattern } by = By::kNothing;
  if (!filter.empty()) {
    const bool complete = filter.size() == 3 && EqualsIgnoreCase(filter[0], "filterby");
    if (complete && EqualsIgnoreCase(filter[1], "module")) {
      by = By::kModule;
    } else if (complete && EqualsIgnoreCase(filter[1], "aclcat")) {
      by = By::kCategory;
    } else if (complete && EqualsIgnoreCase(filter[1], "pattern")) {
      by = By::kPattern;
    } else {
      return reply.Error(kSyntaxError);
    }
  }
  const auto wanted = [&](const CommandSpec& spec) {
    switch (by) {
      case By::kNothing:
        return true;
      case By::kModule:
        return false;  // There are no modules.
      case By::kCategory:
        return HasCategory(spec, filter[2]);
      case By::kPattern:
        return GlobMatch(filter[2], spec.name, GlobCase::kInsensitive);
    }
    return false;
  };
  std::vector<std::string_view> names;
  for (const CommandSpec* spec : table.All()) {
    if (wanted(*spec)) names.push_back(spec->name);
    for (const CommandSpec& subcommand : spec->subcommands) {
      if (wanted(subcommand)) names.push_back(subcommand.name);
    }
  }
  reply.ArrayHeader(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

// What `spec` does to the keys of one range in this very call.
uint32_t FlagsInCall(const KeySpec& keys, Args command) {
  if ((keys.flags & KeySpec::kVariableFlags) == 0) return keys.flags;
  // Only SET varies: it reads the old value if asked to GET it, and otherwise overwrites it unread.
  const bool gets = std::any_of(command.begin() + 3, command.end(), [](std::string_view argument) {
    return EqualsIgnoreCase(argument, "get");
  });
  return gets ? KeySpec::kRw | KeySpec::kAccess | KeySpec::kUpdate
              : KeySpec::kOw | KeySpec::kUpdate;
}

enum class KeyDetail { kName, kNameAndFlags };

void GetKeys(const CommandTable& table, Args command, KeyDetail detail, ReplyBuilder& reply) {
  const CommandSpec* spec = table.Find(command[0]);
  if (spec != nullptr) spec = CommandTable::FindSubcommand(*spec, command);
  if (spec == nullptr) return reply.Error("ERR Invalid command specified");
  if (spec->key_specs.empty()) return reply.Error("ERR The command has no key arguments");
  if (!spec->ArityFits(command.size())) {
    return reply.Error("ERR Invalid number of arguments specified for command");
  }
  struct Key {
    std::string_view name;
    uint32_t flags;
  };
  std::vector<Key> keys;
  for (const KeySpec& each : spec->key_specs) {
    for (const int i : KeyPositions(each.keys, command)) {
      keys.push_back({command[static_cast<size_t>(i)], FlagsInCall(each, command)});
    }
  }
  reply.ArrayHeader(keys.size());
  for (const Key& key : keys) {
    if (detail == KeyDetail::kNameAndFlags) reply.ArrayHeader(2);
    reply.Bulk(key.name);
    if (detail == KeyDetail::kNameAndFlags) AnswerKeyFlags(key.flags, reply);
  }
}

void Help(ReplyBuilder& reply) {
  static constexpr std::string_view kLines[] = {
      "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "(no subcommand)",
      "    What INFO answers, for all commands.",
      "COUNT",
      "    How many commands there are.",
      "LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]",
      "    The names of all commands, or of those that the filter passes.",
      "INFO [<command-name> ...]",
      "    Arity, flags, keys and categories of the named commands, or of all.",
      "DOCS [<command-name> ...]",
      "    Summary and arguments of the named commands, or of all.",
      "GETKEYS <full-command>",
      "    Which arguments of the command are keys.",
      "GETKEYSANDFLAGS <full-command>",
      "    Which arguments of the command are keys, and what it does to each.",
      "HELP",
      "    This text.",
  };
  reply.ArrayHeader(std::size(kLines));
  for (const std::string_view line : kLines) reply.Status(line);
}

}  // namespace

void AnswerCommand(const CommandTable& table, Args args, ReplyBuilder& reply) {
  if (args.size() == 1) return AnswerAllInfo(table, reply);
  const std::string_view subcommand = args[1];
  const Args rest = args.subspan(2);
  if (EqualsIgnoreCase(subcommand, "count")) {
    reply.Integer(static_cast<int64_t>(table.All().size()));
  } else if (EqualsIgnoreCase(subcommand, "list")) {
    List(table, rest, reply);
  } else if (EqualsIgnoreCase(subcommand, "info")) {
    Info(table, rest, reply);
  } else if (EqualsIgnoreCase(subcommand, "docs")) {
    Docs(table, rest, reply);
  } else if (EqualsIgnoreCase(subcommand, "getkeys")) {
    GetKeys(table, rest, KeyDetail::kName, reply);
  } else if (EqualsIgnoreCase(subcommand, "getkeysandflags")) {
    GetKeys(table, rest, KeyDetail::kNameAndFlags, reply);
  } else {
    Help(reply);
  }
}

}  // namespace tidemark::cache
