#include "replication/encoded_batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/format/frame_decoder.h"
#include "replication/stream_reader.h"

namespace tidemark::replication {
namespace {

using testing::ElementsAre;

constexpr HistoryId kHistory(7);

FrameRef Seal(EncodedBatchBuilder& builder) { return builder.Seal(kHistory, 4, 1234); }

std::vector<Record> RecordsOf(const Frame& frame) {
  std::vector<Record> records;
  RecordReader reader(frame);
  Record record;
  absl::StatusOr<bool> more;
  while ((more = reader.Next(&record)).ok() && *more) records.push_back(record);
  EXPECT_TRUE(more.ok()) << more.status();
  return records;
}

TEST(EncodedBatchBuilderTest, SequencesBeginAtOneAndStayContiguousOverFrames) {
  EncodedBatchBuilder builder(ShardId(3), {});
  EXPECT_EQ(builder.last_sequence(), Sequence(0));
  builder.Set("a", "1", 0);
  builder.Delete("a", 0);
  const FrameRef first = Seal(builder);
  builder.Flush();
  const FrameRef second = Seal(builder);
  EXPECT_EQ(first->first_sequence(), Sequence(1));
  EXPECT_EQ(first->last_sequence(), Sequence(2));
  EXPECT_EQ(second->first_sequence(), Sequence(3));
  EXPECT_EQ(second->last_sequence(), Sequence(3));
  EXPECT_EQ(builder.last_sequence(), Sequence(3));
}

TEST(EncodedBatchBuilderTest, FrameCarriesWhatTheHeaderPromises) {
  EncodedBatchBuilder builder(ShardId(3), {});
  builder.Set("key", "value", 99);
  const FrameRef frame = Seal(builder);
  EXPECT_EQ(frame->kind(), FrameKind::kMutations);
  EXPECT_EQ(frame->history(), kHistory);
  EXPECT_EQ(frame->shard(), ShardId(3));
  EXPECT_EQ(frame->shard_count(), 4);
  EXPECT_EQ(frame->sealed_at_ms(), 1234);
  EXPECT_EQ(frame->stream_digest(), StreamDigest(0, frame->payload()));
  EXPECT_EQ(builder.digest(), frame->stream_digest());
  EXPECT_TRUE(DecodeFrame(frame->bytes()).ok());
}

TEST(EncodedBatchBuilderTest, SealingNothingGivesNothingAndChangesNothing) {
  EncodedBatchBuilder builder(ShardId(0), {});
  EXPECT_EQ(Seal(builder), nullptr);
  builder.Set("a", "1", 0);
  Seal(builder);
  const uint64_t digest = builder.digest();
  EXPECT_EQ(Seal(builder), nullptr);
  EXPECT_EQ(builder.digest(), digest);
  EXPECT_EQ(builder.last_sequence(), Sequence(1));
}

TEST(EncodedBatchBuilderTest, LimitsAreLookedAtAfterAdding) {
  EncodedBatchBuilder by_records(ShardId(0), {.max_records = 2});
  by_records.Flush();
  EXPECT_FALSE(by_records.full());
  by_records.Flush();
  EXPECT_TRUE(by_records.full());
  Seal(by_records);
  EXPECT_FALSE(by_records.full());

  EncodedBatchBuilder by_bytes(ShardId(0), {.max_bytes = 100});
  by_bytes.Set("k", std::string(90, 'x'), 0);
  EXPECT_FALSE(by_bytes.full());
  by_bytes.Set("k", std::string(1000, 'x'), 0);
  EXPECT_TRUE(by_bytes.full());
  EXPECT_EQ(Seal(by_bytes)->record_count(), 2u);

  EncodedBatchBuilder at_once(ShardId(0), {.max_records = 1});
  at_once.Flush();
  EXPECT_TRUE(at_once.full());
}

TEST(EncodedBatchBuilderTest, WithoutDelayABatchIsDueAtOnce) {
  EncodedBatchBuilder builder(ShardId(0), {});
  EXPECT_FALSE(builder.Due(0));
  EXPECT_EQ(builder.DueInNanos(0), std::nullopt);
  builder.Flush();
  EXPECT_TRUE(builder.Due(0));
  EXPECT_EQ(builder.DueInNanos(0), 0);
}

TEST(EncodedBatchBuilderTest, DelayRunsFromTheFirstQuestionAndEndsWithTheBatch) {
  EncodedBatchBuilder builder(ShardId(0), {.max_delay_ns = 100});
  EXPECT_FALSE(builder.Due(1000));
  builder.Flush();
  EXPECT_EQ(builder.DueInNanos(1000), 100);
  EXPECT_FALSE(builder.Due(1000));
  builder.Flush();
  EXPECT_FALSE(builder.Due(1099));
  EXPECT_EQ(builder.DueInNanos(1099), 1);
  EXPECT_TRUE(builder.Due(1100));
  EXPECT_EQ(builder.DueInNanos(2000), 0);
  Seal(builder);
  builder.Flush();
  EXPECT_FALSE(builder.Due(2000));
  EXPECT_TRUE(builder.Due(2100));
}

TEST(EncodedBatchBuilderTest, FrameSaysWhetherItHasTransactions) {
  EncodedBatchBuilder builder(ShardId(1), {});
  builder.Set("k", "v", 0);
  EXPECT_FALSE(Seal(builder)->has_transactions());
  builder.BeginTransaction(77, std::vector{ShardId(1), ShardId(3)});
  builder.EndTransaction();
  builder.Set("k", "v", 0);
  EXPECT_TRUE(Seal(builder)->has_transactions());
  builder.Set("k", "v", 0);
  EXPECT_FALSE(Seal(builder)->has_transactions());

  builder.BeginTransaction(78, std::vector{ShardId(1)});
  builder.EndTransaction();
  builder.Abandon();
  builder.Set("k", "v", 0);
  EXPECT_FALSE(Seal(builder)->has_transactions());
}

TEST(EncodedBatchBuilderTest, TransactionStaysInOneFrameWhateverTheLimits) {
  EncodedBatchBuilder builder(ShardId(1), {.max_records = 2, .max_bytes = 10});
  builder.BeginTransaction(77, std::vector{ShardId(1), ShardId(3)});
  for (int i = 0; i < 5; ++i) {
    builder.Set("k", "a longer value", 0);
    EXPECT_FALSE(builder.full());
  }
  builder.EndTransaction();
  EXPECT_TRUE(builder.full());
  const std::vector<Record> records = RecordsOf(*Seal(builder));
  ASSERT_EQ(records.size(), 6u);
  EXPECT_EQ(records[0].op, RecordOp::kTransaction);
  EXPECT_EQ(records[0].transaction_id, 77u);
  EXPECT_EQ(records[0].transaction_records, 5u);
  EXPECT_THAT(records[0].participants, ElementsAre(ShardId(1), ShardId(3)));
}

TEST(EncodedBatchBuilderTest, CountOfATransactionFitsAtEverySizeOfItsVarint) {
  for (const uint32_t count : {0u, 1u, 127u, 128u, 16383u, 16384u}) {
    SCOPED_TRACE(count);
    EncodedBatchBuilder builder(ShardId(0), {});
    builder.Set("before", "x", 0);
    builder.BeginTransaction(1, std::vector{ShardId(0)});
    for (uint32_t i = 0; i < count; ++i) builder.Set("k", std::to_string(i), 0);
    builder.EndTransaction();
    builder.Set("after", "x", 0);
    const FrameRef frame = Seal(builder);
    const std::vector<Record> records = RecordsOf(*frame);
    ASSERT_EQ(records.size(), count + 3);
    EXPECT_EQ(records[1].transaction_records, count);
    EXPECT_EQ(records.back().key, "after");
    if (count > 0) {
      EXPECT_EQ(records[count + 1].value, std::to_string(count - 1));
    }
  }
}

TEST(EncodedBatchBuilderTest, WhatDoesNotFitFailsTheBatchAndTheStreamGoesOnAfterIt) {
  EncodedBatchBuilder builder(ShardId(0), {});
  builder.Set("good", "x", 0);
  builder.SetRange("k", kMaxValueBytes, "past the limit");
  EXPECT_TRUE(builder.failed());
  EXPECT_EQ(builder.last_sequence(), Sequence(2)) << "the mutation happened, so it has a number";
  EXPECT_EQ(Seal(builder), nullptr);
  builder.Abandon();
  EXPECT_FALSE(builder.failed());
  EXPECT_TRUE(builder.empty());
  builder.Set("next", "x", 0);
  EXPECT_EQ(Seal(builder)->first_sequence(), Sequence(3));
}

TEST(EncodedBatchBuilderTest, SkippedMutationsTakeSequencesAndNothingElse) {
  EncodedBatchBuilder builder(ShardId(0), {});
  for (int i = 0; i < 5; ++i) builder.Skip();
  EXPECT_EQ(builder.last_sequence(), Sequence(5));
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.open_bytes(), 0u);
  EXPECT_EQ(builder.digest(), 0u);
  builder.Flush();
  EXPECT_EQ(Seal(builder)->first_sequence(), Sequence(6));
}

TEST(EncodedBatchBuilderTest, RandomStreamsReachAReaderWhole) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    EncodedBatchBuilder builder(ShardId(0),
                                {.max_records = static_cast<uint32_t>(1 + random() % 20),
                                 .max_bytes = 1 + random() % 5000});
    KeyMap expected;
    StreamReader reader({}, Sequence(0), 0);
    bool in_transaction = false;
    for (int i = 0; i < 500; ++i) {
      const std::string key = "k" + std::to_string(random() % 20);
      const std::string value(random() % 300, static_cast<char>('a' + random() % 26));
      const auto expiry = static_cast<int64_t>(random() % 3);
      switch (random() % 12) {
        case 0:
          builder.Delete(key, 0);
          expected.erase(key);
          break;
        case 1:
          builder.Expire(key, expiry);
          if (expected.contains(key)) expected[key].second = expiry;
          break;
        case 2: {
          const uint64_t offset = random() % 500;
          builder.SetRange(key, offset, value);
          std::string& old = expected[key].first;
          old.resize(std::max(old.size(), offset + value.size()));
          old.replace(offset, value.size(), value);
          break;
        }
        case 3:
          if (random() % 10 == 0) {
            builder.Flush();
            expected.clear();
          }
          break;
        case 4:
          if (in_transaction)
            builder.EndTransaction();
          else
            builder.BeginTransaction(random(), std::vector{ShardId(0), ShardId(9)});
          in_transaction = !in_transaction;
          break;
        default:
          builder.Set(key, value, expiry);
          expected[key] = {value, expiry};
      }
      if (builder.full() || (!in_transaction && random() % 10 == 0)) {
        const FrameRef frame = Seal(builder);
        if (frame) {
          ASSERT_TRUE(reader.Take(*frame).ok());
        }
      }
    }
    if (in_transaction) builder.EndTransaction();
    const FrameRef frame = Seal(builder);
    if (frame) {
      ASSERT_TRUE(reader.Take(*frame).ok());
    }
    EXPECT_EQ(reader.state(), expected);
    EXPECT_EQ(reader.applied(), builder.last_sequence());
    EXPECT_EQ(reader.digest(), builder.digest());
  }
}

}  // namespace
}  // namespace tidemark::replication
