#include "wal/consistent_cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/format/record.h"
#include "wal/segment_builder.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Watermarks Of(std::vector<uint64_t> sequences) {
  Watermarks result;
  for (const uint64_t s : sequences) result.push_back(Sequence(s));
  return result;
}

// One shard's stream as it is made, in frames.
class Stream {
 public:
  Stream(uint16_t shard, uint16_t shards, uint64_t base = 0) : shard_(shard), shards_(shards) {
    position_.sequence = Sequence(base);
  }

  void Sets(uint32_t records) {
    for (uint32_t i = 0; i < records; ++i) {
      char record[64];
      payload_.append(record, EncodeSet(record, "k", "v", 0));
    }
    records_ += records;
  }
  void Transaction(uint64_t id, uint32_t records, std::vector<uint16_t> participants) {
    std::vector<ShardId> ids;
    for (const uint16_t p : participants) ids.push_back(ShardId(p));
    char record[128];
    char* count_at;
    payload_.append(record, EncodeTransaction(record, id, records, ids, &count_at));
    ++records_;
    flags_ = kFrameTransactions;
    Sets(records);
  }
  bool empty() const { return records_ == 0; }
  uint64_t next() const { return position_.sequence.value() + records_ + 1; }
  FrameRef Seal() {
    FrameRef frame =
        MakeFrame(HistoryId(1), ShardId(shard_), shards_, records_, payload_, &position_, flags_);
    payload_.clear();
    records_ = 0;
    flags_ = 0;
    return frame;
  }

 private:
  const uint16_t shard_;
  const uint16_t shards_;
  ShardPosition position_;
  std::string payload_;
  uint32_t records_ = 0;
  uint16_t flags_ = 0;
};

TEST(ConsistentCutTest, WithoutTransactionsTheLimitIsTheCut) {
  ConsistentCut cut(Of({0, 5}));
  Stream a(0, 2), b(1, 2, 5);
  a.Sets(10);
  b.Sets(3);
  ASSERT_TRUE(cut.Add(*a.Seal()).ok());
  ASSERT_TRUE(cut.Add(*b.Seal()).ok());
  EXPECT_EQ(cut.Cut(Of({4, 7})), Of({4, 7}));
  EXPECT_EQ(cut.Cut(Of({100, 100})), Of({10, 8}));  // No further than what was added.
  EXPECT_EQ(cut.Cut(Of({0, 0})), Of({10, 8}));      // Never back.
}

TEST(ConsistentCutTest, TransactionIsWholeInItsShardAndAcrossShards) {
  ConsistentCut cut(Of({0, 0}));
  Stream a(0, 2), b(1, 2);
  a.Sets(1);
  a.Transaction(7, 2, {0, 1});  // 2 to 4.
  a.Sets(1);
  b.Sets(1);
  b.Transaction(7, 1, {0, 1});  // 2 to 3.
  ASSERT_TRUE(cut.Add(*a.Seal()).ok());
  EXPECT_EQ(cut.Cut(Of({5, 5})), Of({1, 0}));  // The other part has not come.
  ASSERT_TRUE(cut.Add(*b.Seal()).ok());
  EXPECT_EQ(cut.Cut(Of({5, 2})), Of({1, 1}));
  EXPECT_EQ(cut.Cut(Of({3, 3})), Of({1, 1}));
  EXPECT_EQ(cut.Cut(Of({4, 3})), Of({4, 3}));
  EXPECT_EQ(cut.pending_parts(), 0u);
}

TEST(ConsistentCutTest, ExclusionSpreadsThroughChainsOfTransactions) {
  ConsistentCut cut(Of({0, 0, 0}));
  Stream a(0, 3), b(1, 3), c(2, 3);
  a.Transaction(1, 0, {0, 1});
  b.Transaction(2, 0, {1, 2});
  b.Transaction(1, 0, {0, 1});
  c.Sets(3);
  c.Transaction(2, 0, {1, 2});
  for (Stream* s : {&a, &b, &c}) ASSERT_TRUE(cut.Add(*s->Seal()).ok());
  // Without c's part of 2, 2 is out of b, so 1 is out of b and then of a.
  EXPECT_EQ(cut.Cut(Of({1, 2, 3})), Of({0, 0, 3}));
  EXPECT_EQ(cut.Cut(Of({1, 2, 4})), Of({1, 2, 4}));
}

TEST(ConsistentCutTest, BaseInsideAFramePassesOverWhatIsBelow) {
  ConsistentCut cut(Of({3}));
  Stream a(0, 1);
  a.Transaction(1, 2, {0});
  a.Transaction(2, 1, {0});
  ASSERT_TRUE(cut.Add(*a.Seal()).ok());
  EXPECT_EQ(cut.pending_parts(), 1u);
  EXPECT_EQ(cut.Cut(Of({4})), Of({3}));
  EXPECT_EQ(cut.Cut(Of({5})), Of({5}));
}

TEST(ConsistentCutTest, ContradictionsAreDamage) {
  const auto add = [](std::vector<std::vector<uint16_t>> first_then_second, bool same_shard) {
    ConsistentCut cut(Of({0, 0}));
    Stream a(0, 2), b(1, 2);
    a.Transaction(7, 0, first_then_second[0]);
    absl::Status status = cut.Add(*a.Seal());
    if (!status.ok()) return std::string(status.message());
    Stream& second = same_shard ? a : b;
    second.Transaction(7, 0, first_then_second[1]);
    status = cut.Add(*second.Seal());
    EXPECT_TRUE(absl::IsDataLoss(status));
    return std::string(status.message());
  };
  EXPECT_THAT(add({{1}, {}}, false), HasSubstr("does not name the shard that it is of"));
  EXPECT_THAT(add({{0, 2}, {}}, false), HasSubstr("shards that there are not"));
  EXPECT_THAT(add({{0, 1}, {1}}, false), HasSubstr("other shards than its other parts"));
  EXPECT_THAT(add({{0, 1}, {0, 1}}, true), HasSubstr("was at sequence 1 before"));
}

// The definition, by trying every vector.
struct ModelPart {
  uint64_t first, last;
};
struct ModelTransaction {
  std::vector<std::optional<ModelPart>> parts;  // By shard.
  bool missing = false;
};

bool Consistent(const std::vector<ModelTransaction>& all, const std::vector<uint64_t>& cut) {
  for (const ModelTransaction& transaction : all) {
    bool below = false, above = transaction.missing;
    for (size_t s = 0; s < cut.size(); ++s) {
      if (!transaction.parts[s].has_value()) continue;
      const ModelPart& part = *transaction.parts[s];
      if (cut[s] >= part.first && cut[s] < part.last) return false;
      (cut[s] >= part.last ? below : above) = true;
    }
    if (below && above) return false;
  }
  return true;
}

std::vector<uint64_t> LargestCut(const std::vector<ModelTransaction>& all,
                                 const std::vector<uint64_t>& limit) {
  std::vector<uint64_t> cut(limit.size(), 0), best(limit.size(), 0);
  while (true) {
    if (Consistent(all, cut)) {
      // Consistent cuts have a largest, shard by shard; trying each shows it.
      for (size_t s = 0; s < cut.size(); ++s) best[s] = std::max(best[s], cut[s]);
    }
    size_t s = 0;
    while (s < cut.size() && cut[s] == limit[s]) cut[s++] = 0;
    if (s == cut.size()) return best;
    ++cut[s];
  }
}

TEST(ConsistentCutTest, AgreesWithTheDefinitionOnEveryLimit) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto shards = static_cast<uint16_t>(2 + random() % 3);
    std::vector<Stream> streams;
    for (uint16_t s = 0; s < shards; ++s) streams.emplace_back(s, shards);
    std::vector<ModelTransaction> model;
    std::vector<FrameRef> frames;
    const uint64_t steps = shards == 4 ? 7 : 12;
    for (uint64_t step = 0; step < steps; ++step) {
      const auto some = static_cast<uint16_t>(random() % shards);
      switch (random() % 4) {
        case 0:
          streams[some].Sets(1);
          break;
        case 1:
          if (!streams[some].empty()) frames.push_back(streams[some].Seal());
          break;
        default: {
          ModelTransaction transaction{.parts = {}, .missing = random() % 20 == 0};
          transaction.parts.resize(shards);
          std::vector<uint16_t> participants;
          for (uint16_t s = 0; s < shards; ++s) {
            if (s == some || random() % 2 == 0) participants.push_back(s);
          }
          for (const uint16_t s : participants) {
            // The part that never comes.
            if (transaction.missing && s == participants.back()) continue;
            const uint64_t first = streams[s].next();
            const uint32_t records = random() % 2;
            streams[s].Transaction(1000 + step, records, participants);
            transaction.parts[s] = ModelPart{first, first + records};
          }
          model.push_back(transaction);
        }
      }
    }
    for (Stream& stream : streams) {
      if (!stream.empty()) frames.push_back(stream.Seal());
    }
    std::vector<uint64_t> ends;
    for (Stream& stream : streams) ends.push_back(stream.next() - 1);
    const auto fed = [&] {
      auto cut = std::make_unique<ConsistentCut>(Watermarks(shards, Sequence()));
      for (const FrameRef& frame : frames) EXPECT_TRUE(cut->Add(*frame).ok());
      return cut;
    };
    // Some limits each by themselves, and then a climb of one object.
    for (int i = 0; i < 20; ++i) {
      std::vector<uint64_t> limit;
      for (const uint64_t end : ends) limit.push_back(random() % (end + 1));
      ASSERT_EQ(fed()->Cut(Of(limit)), Of(LargestCut(model, limit)));
    }
    const auto cut = fed();
    std::vector<uint64_t> limit(shards, 0);
    while (limit != ends) {
      const size_t s = random() % shards;
      if (limit[s] < ends[s]) ++limit[s];
      ASSERT_EQ(cut->Cut(Of(limit)), Of(LargestCut(model, limit)));
    }
  }
}

}  // namespace
}  // namespace tidemark::wal
