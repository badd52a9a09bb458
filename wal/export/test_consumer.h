// TestConsumer knows a fake log's changes by heart: a change that it has seen, one that is out of
// order and a hole each fail the test. It goes on where it was through any number of connections.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_WAL_EXPORT_TEST_CONSUMER_H_
#define TIDEMARK_WAL_EXPORT_TEST_CONSUMER_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <utility>

#include "base/format/record.h"
#include "wal/export/fake_export_source.h"
#include "wal/export/test_link.h"

namespace tidemark::wal {

class TestConsumer final : public TestLink {
 public:
  using TestLink::TestLink;

  void set_start(ExportStart start) { start_ = std::move(start); }

  bool Connect() { return TestLink::Connect(Start()); }
  void Take(asio::ip::tcp::socket socket) { TestLink::Take(std::move(socket), Start()); }

  const ExportPosition& cursor() const { return position_; }
  size_t seen() const { return seen_.size(); }

 private:
  ExportStart Start() const {
    if (position_.sequences.empty()) return start_;
    return {.from = ExportStart::From::kPosition, .position = position_};
  }

  void OnEvent(const ExportEvent& event) override {
    if (const auto* begins = std::get_if<StreamBegins>(&event)) position_ = begins->position;
    if (const auto* changed = std::get_if<HistoryChanged>(&event)) position_ = changed->position;
    if (const auto* changes = std::get_if<Changes>(&event)) HandleChanges(*changes);
  }

  void HandleChanges(const Changes& changes) {
    const Frame& frame = *changes.frame;
    Sequence& at = position_.sequences[frame.shard().value()];
    RecordReader reader(frame);
    Record record;
    for (Sequence sequence = frame.first_sequence(); *reader.Next(&record);
         sequence = tidemark::Next(sequence)) {
      if (sequence <= changes.skip_through) continue;
      EXPECT_EQ(sequence, tidemark::Next(at));
      EXPECT_EQ(record.key, TestKey(frame.history(), frame.shard(), sequence));
      EXPECT_TRUE(seen_.insert(std::string(record.key)).second) << record.key;
      at = sequence;
    }
  }

  ExportStart start_ = {.from = ExportStart::From::kNow, .position = {}};
  ExportPosition position_;     // What was seen; kept over connections.
  std::set<std::string> seen_;  // Keys, each a change of its own.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_TEST_CONSUMER_H_
