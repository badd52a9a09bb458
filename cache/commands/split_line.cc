#include "cache/commands/split_line.h"

namespace tidemark::cache {
namespace {

// Takes the escape that begins at line[i], a backslash, and leaves `i` at its last byte.
char Unescape(std::string_view line, size_t& i) {
  const char c = line[++i];
  if (c == 'r') return '\r';
  if (c == 'n') return '\n';
  if (c != 'x') return c;
  const std::string digits(line.substr(i + 1, 2));
  i += 2;
  return static_cast<char>(std::stoi(digits, nullptr, 16));
}

}  // namespace

Words SplitLine(std::string_view line) {
  Words words;
  for (size_t i = 0; i < line.size();) {
    if (line[i] == ' ') {
      ++i;
      continue;
    }
    std::string& word = words.emplace_back();
    const bool quoted = line[i] == '"';
    if (quoted) ++i;
    for (; i < line.size() && line[i] != (quoted ? '"' : ' '); ++i) {
      word += quoted && line[i] == '\\' ? Unescape(line, i) : line[i];
    }
    if (quoted) ++i;
  }
  return words;
}

}  // namespace tidemark::cache
