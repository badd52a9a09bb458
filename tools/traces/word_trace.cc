#include "tools/traces/word_trace.h"

namespace tidemark::traces {
namespace {

// By hand: isalpha() and tolower() would ask the locale.
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

void WordTrace::Read(std::string_view text) {
  std::string before, word;
  const auto end_word = [&] {
    if (word.empty()) return;
    if (!before.empty()) {
      const auto [entry, added] = ids_.try_emplace(before + ' ' + word, ids_.size());
      requests_.push_back(entry->second);
    }
    before = std::move(word);
    word.clear();
  };
  for (const char c : text) {
    if (IsLetter(c)) {
      word += Lower(c);
    } else {
      end_word();
    }
  }
  end_word();
}

}  // namespace tidemark::traces
