#include "cache/argument_arena.h"

#include <cstring>
#include <new>

namespace tidemark::cache {

char* ArgumentArena::Allocate(size_t bytes) {
  // Views are laid out here too, so keep their alignment.
  bytes = (bytes + alignof(std::string_view) - 1) & ~(alignof(std::string_view) - 1);
  bytes_ += bytes;
  if (bytes <= left_) {
    char* result = next_;
    next_ += bytes;
    left_ -= bytes;
    return result;
  }
  if (bytes > kBlockBytes / 4 && !blocks_.empty()) {  // A block of its own; the shared one goes on.
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    return blocks_.back().get();
  }
  const size_t size = bytes > kBlockBytes ? bytes : kBlockBytes;
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
  next_ = blocks_.back().get() + bytes;
  left_ = size - bytes;
  return blocks_.back().get();
}

Args ArgumentArena::Copy(Args args) {
  size_t total = 0;
  for (std::string_view arg : args) total += arg.size();
  char* views = Allocate(args.size() * sizeof(std::string_view));
  char* bytes = Allocate(total);
  auto* copies = reinterpret_cast<std::string_view*>(views);
  for (size_t i = 0; i < args.size(); ++i) {
    if (!args[i].empty()) std::memcpy(bytes, args[i].data(), args[i].size());
    new (copies + i) std::string_view(bytes, args[i].size());
    bytes += args[i].size();
  }
  return Args(copies, args.size());
}

void ArgumentArena::Clear() {
  bytes_ = 0;
  left_ = 0;
  if (blocks_.empty()) return;
  blocks_.resize(1);
  next_ = blocks_.front().get();
  left_ = kBlockBytes;  // The first block may be larger: then a part stays unused.
}

}  // namespace tidemark::cache
