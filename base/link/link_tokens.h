// LinkTokens are the secrets that admit a peer to a link, while one is being rotated both.

#ifndef TIDEMARK_BASE_LINK_LINK_TOKENS_H_
#define TIDEMARK_BASE_LINK_LINK_TOKENS_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace tidemark {

// Compares in a time that depends on the lengths alone.
inline bool EqualInConstantTime(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

// A peer's token that is longer is nobody's.
inline constexpr size_t kMaxTokenBytes = 1024;

// With an empty `current` everybody is admitted.
struct LinkTokens {
  std::string current;
  std::string previous;  // Good as well while a token is being rotated; empty: none.

  // Takes a time that depends on lengths alone.
  bool Admits(std::string_view token) const {
    if (token.size() > kMaxTokenBytes) return false;
    if (current.empty()) return true;
    const bool is_current = EqualInConstantTime(token, current);
    const bool is_previous = !previous.empty() && EqualInConstantTime(token, previous);
    return is_current | is_previous;
  }
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_LINK_TOKENS_H_
