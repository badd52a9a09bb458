#include "replication/shell/posted_archive.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/eventually.h"

namespace tidemark::replication {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

// Answers each read when it is told to, with the thread that asked.
class FakeArchive final : public BlockingArchive {
 public:
  absl::StatusOr<std::unique_ptr<Reader>> Open(const ReplicaPosition& position) override {
    if (position.history == HistoryId()) return absl::NotFoundError("pruned");
    return std::make_unique<FakeReader>(this);
  }
  void Keep(const std::string&, HistoryId, const Watermarks& acked) override {
    kept.set_value(acked);
  }
  void Forget(const std::string&) override { forgotten.set_value(); }
  bool Lost(const std::string&) const override { return false; }

  std::atomic<int> readers{0};
  std::atomic<int> reads{0};
  std::shared_future<void> may_read;
  std::thread::id thread;  // Of the last read.
  std::promise<Watermarks> kept;
  std::promise<void> forgotten;

 private:
  class FakeReader final : public Reader {
   public:
    explicit FakeReader(FakeArchive* archive) : archive_(archive) { ++archive_->readers; }
    ~FakeReader() override { --archive_->readers; }
    ArchiveBatch Read(size_t) override {
      archive_->thread = std::this_thread::get_id();
      ++archive_->reads;
      archive_->may_read.wait();
      return {.status = absl::OkStatus(), .frames = {}};
    }

   private:
    FakeArchive* const archive_;
  };
};

class PostedArchiveTest : public testing::Test {
 protected:
  PostedArchiveTest() {
    fake_.may_read = may_read_.get_future().share();
    archive_.Start();
    link_.Start("link");
  }
  ~PostedArchiveTest() override {
    archive_.Stop();
    link_.Stop();
  }

  // Runs `task` on the link thread, and waits for it.
  void OnLink(const std::function<void()>& task) {
    std::promise<void> done;
    link_.Post([&] {
      task();
      done.set_value();
    });
    ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  }
  static ReplicaPosition At(uint64_t history) {
    return {.history = HistoryId(history), .shards = {}};
  }

  FakeArchive fake_;
  std::promise<void> may_read_;
  LinkLoop link_;
  PostedArchive archive_{&fake_, link_.poster()};
};

TEST_F(PostedArchiveTest, ReadsOnAThreadOfItsOwnAndAnswersOnTheLinks) {
  may_read_.set_value();
  std::unique_ptr<ArchiveCursor> cursor;
  std::promise<std::thread::id> answered;
  OnLink([&] {
    cursor = archive_.Open(At(7));
    cursor->Read(100, [&](ArchiveBatch) { answered.set_value(std::this_thread::get_id()); });
  });
  const std::thread::id answer = answered.get_future().get();
  OnLink([&] {
    EXPECT_EQ(answer, std::this_thread::get_id());
    EXPECT_NE(fake_.thread, std::this_thread::get_id());
    cursor = nullptr;
  });
  EXPECT_TRUE(Eventually([&] { return fake_.readers == 0; }));
}

TEST_F(PostedArchiveTest, PositionThatIsGoneIsSaidByTheFirstRead) {
  std::unique_ptr<ArchiveCursor> cursor;
  std::promise<absl::Status> answered;
  OnLink([&] {
    cursor = archive_.Open(At(0));
    cursor->Read(100, [&](ArchiveBatch batch) { answered.set_value(batch.status); });
  });
  EXPECT_TRUE(absl::IsNotFound(answered.get_future().get()));
  OnLink([&] { cursor = nullptr; });
}

TEST_F(PostedArchiveTest, CursorThatGoesDuringAReadIsNotCalledBack) {
  std::unique_ptr<ArchiveCursor> cursor;
  bool called = false;
  OnLink([&] {
    cursor = archive_.Open(At(7));
    cursor->Read(100, [&](ArchiveBatch) { called = true; });
  });
  ASSERT_TRUE(Eventually([&] { return fake_.reads == 1; }));
  OnLink([&] { cursor = nullptr; });
  may_read_.set_value();
  EXPECT_TRUE(Eventually([&] { return fake_.readers == 0; }));
  OnLink([&] { EXPECT_FALSE(called); });  // What was posted before has run.
}

TEST_F(PostedArchiveTest, PassesOnWhatToKeep) {
  OnLink([&] {
    archive_.Keep("node", HistoryId(7), {Sequence(3)});
    archive_.Forget("node");
  });
  EXPECT_EQ(fake_.kept.get_future().get(), Watermarks{Sequence(3)});
  fake_.forgotten.get_future().get();
}

}  // namespace
}  // namespace tidemark::replication
