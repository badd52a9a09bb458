#include "base/link/output_queue.h"

#include <utility>

#include "base/check.h"

namespace tidemark {

std::string_view OutputQueue::View(const Item& item) {
  if (const auto* control = std::get_if<std::string>(&item)) return *control;
  return std::get<Shared>(item).twin->bytes();
}

void OutputQueue::Push(std::string control) {
  bytes_ += control.size();
  items_.emplace_back(std::move(control));
}

void OutputQueue::Push(FrameRef frame, const Frame* twin) {
  bytes_ += twin->bytes().size();
  items_.emplace_back(Shared{std::move(frame), twin});
}

void OutputQueue::Gather(size_t max_pieces, std::vector<std::string_view>* pieces) const {
  size_t skip = front_written_;
  for (const Item& item : items_) {
    if (max_pieces-- == 0) return;
    pieces->push_back(View(item).substr(skip));
    skip = 0;
  }
}

void OutputQueue::Consume(size_t bytes) {
  CHECK(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    const size_t left = View(items_.front()).size() - front_written_;
    if (bytes < left) {
      front_written_ += bytes;
      return;
    }
    bytes -= left;
    front_written_ = 0;
    items_.pop_front();
  }
}

void OutputQueue::Clear() {
  items_.clear();
  front_written_ = 0;
  bytes_ = 0;
}

}  // namespace tidemark
