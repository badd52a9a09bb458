// CHECK stops the process when an invariant of ours is broken; DCHECK does so in debug builds only.
//
// A CHECK stands where going on would lose or invent data. Bad input is never a CHECK.

#ifndef TIDEMARK_BASE_CHECK_H_
#define TIDEMARK_BASE_CHECK_H_

namespace tidemark {

// Prints "file:line: CHECK failed: condition" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace tidemark

#define CHECK(condition) \
  ((condition) ? void(0) : ::tidemark::CheckFailed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define DCHECK(condition) ((true || (condition)) ? void(0) : void(0))
#else
#define DCHECK(condition) CHECK(condition)
#endif

#endif  // TIDEMARK_BASE_CHECK_H_
