// Which sanitizer this build has. Each makes every step several times as long, and memory larger:
// tests do less with one, and allow more.

#ifndef TIDEMARK_BASE_SANITIZERS_H_
#define TIDEMARK_BASE_SANITIZERS_H_

namespace tidemark {

#if defined(__has_feature)  // clang's
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
#endif

inline constexpr bool kSanitized = kAddressSanitizer || kThreadSanitizer;

// `all` of it, or `some` under a sanitizer.
template <typename T>
constexpr T Scaled(T all, T some) {
  return kSanitized ? some : all;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SANITIZERS_H_
