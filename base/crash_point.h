// CrashPoint names a place where a crash must be survived, so that a test can die exactly there.
//
//   CrashPoint("segment.sealed");   // Between the seal's fsync and the next segment's creation.
//
// Names are "part.event" in the past tense: what has just been done. In the product nobody sets the
// hook and a point costs one load of a word that stays in the cache; points belong beside writes
// and fsyncs, never on a path that a request takes.
//
// Threading: any thread may pass a point; the hook may be called from several at once.

#ifndef TIDEMARK_BASE_CRASH_POINT_H_
#define TIDEMARK_BASE_CRASH_POINT_H_

#include <atomic>

namespace tidemark {

using CrashPointHook = void (*)(const char* name);

namespace crash_point_internal {
inline std::atomic<CrashPointHook> hook{nullptr};
}  // namespace crash_point_internal

// Tests only: `hook` is called with the name of each point that is passed; null: nothing is.
inline void SetCrashPointHook(CrashPointHook hook) {
  crash_point_internal::hook.store(hook, std::memory_order_release);
}

inline void CrashPoint(const char* name) {
  // Acquire: the hook's own state was set up before it.
  const CrashPointHook hook = crash_point_internal::hook.load(std::memory_order_acquire);
  if (hook != nullptr) [[unlikely]]
    hook(name);
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_CRASH_POINT_H_
