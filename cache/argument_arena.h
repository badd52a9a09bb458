// ArgumentArena holds copies of commands' arguments that must outlive the call that brought them.
//
// Threading: none of its own. It may be handed from thread to thread.

#ifndef TIDEMARK_CACHE_ARGUMENT_ARENA_H_
#define TIDEMARK_CACHE_ARGUMENT_ARENA_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "cache/command.h"

namespace tidemark::cache {

class ArgumentArena {
 public:
  // The copy stays in place until Clear().
  Args Copy(Args args);
  // Bytes copied since Clear(), with what finding them takes.
  size_t bytes() const { return bytes_; }
  // Forgets everything and keeps one block for reuse.
  void Clear();

 private:
  static constexpr size_t kBlockBytes = 16 * 1024;

  char* Allocate(size_t bytes);

  std::vector<std::unique_ptr<char[]>> blocks_;  // The first is of kBlockBytes.
  char* next_ = nullptr;                         // Free space of the newest shared block.
  size_t left_ = 0;
  size_t bytes_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_ARGUMENT_ARENA_H_
