// InputBuffer keeps the bytes of a connection that have arrived but cannot be used yet. It grows
// with what has arrived, never with what was announced, and holds no memory when empty.
//
// Threading: that of its connection.

#ifndef TIDEMARK_NET_INPUT_BUFFER_H_
#define TIDEMARK_NET_INPUT_BUFFER_H_

#include <cstddef>
#include <memory>
#include <string_view>

namespace tidemark::net {

class InputBuffer {
 public:
  std::string_view view() const { return {bytes_.get() + begin_, size_}; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  void Append(std::string_view bytes);
  // Room for at least 1 byte after the end, for a caller that expects `expected` more: at most that
  // much is added to what doubling allows. Returns its start and sets `*room`.
  char* Tail(size_t expected, size_t* room);
  // `bytes` bytes were written at Tail().
  void Commit(size_t bytes) { size_ += bytes; }
  // Drops the first bytes. When none are left the memory goes back.
  void Consume(size_t bytes);
  void Clear();

 private:
  void MoveTo(size_t capacity);

  std::unique_ptr<char[]> bytes_;
  size_t begin_ = 0;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tidemark::net

#endif  // TIDEMARK_NET_INPUT_BUFFER_H_
