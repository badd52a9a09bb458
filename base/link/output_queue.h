// OutputQueue is what a link has to write and has not yet: control messages by value, frames by
// reference, gathered for one system call at a time.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_BASE_LINK_OUTPUT_QUEUE_H_
#define TIDEMARK_BASE_LINK_OUTPUT_QUEUE_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/format/frame.h"

namespace tidemark {

class OutputQueue {
 public:
  void Push(std::string control);
  // `twin` is `frame` or its compressed twin, and lives as long as `frame`.
  void Push(FrameRef frame, const Frame* twin);

  // Appends up to `max_pieces` of the front to *pieces. They are good until Consume() or Clear().
  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) const;
  // The first `bytes` were written.
  void Consume(size_t bytes);
  void Clear();

  bool empty() const { return items_.empty(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Shared {
    FrameRef frame;
    const Frame* twin;
  };
  using Item = std::variant<std::string, Shared>;
  static std::string_view View(const Item& item);

  std::deque<Item> items_;
  size_t front_written_ = 0;  // Bytes of items_.front() that are out.
  size_t bytes_ = 0;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_OUTPUT_QUEUE_H_
