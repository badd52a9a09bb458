// How much of something a test does. A sanitizer makes every step several times as long, and finds
// what it looks for in fewer of them.

#ifndef TIDEMARK_INTEGRATION_HARNESS_SCALE_H_
#define TIDEMARK_INTEGRATION_HARNESS_SCALE_H_

namespace tidemark::integration {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// `all` of it, or `some` under a sanitizer.
template <typename T>
constexpr T Scaled(T all, T some) {
  return kSanitized ? some : all;
}

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_SCALE_H_
