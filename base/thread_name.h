// NameThread names the calling thread for those who look at the process from outside: top -H, perf,
// a debugger.
//
// Threading: any thread, for itself.

#ifndef TIDEMARK_BASE_THREAD_NAME_H_
#define TIDEMARK_BASE_THREAD_NAME_H_

#include <pthread.h>

#include <string>
#include <string_view>

namespace tidemark {

// The system keeps the first 15 bytes.
inline void NameThread(std::string_view name) {
  pthread_setname_np(pthread_self(), std::string(name.substr(0, 15)).c_str());
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_THREAD_NAME_H_
