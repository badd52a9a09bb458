// The export of a real log in a real directory, from its settings to a consumer and back.

#include "server/export_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/eventually.h"
#include "base/settings/settings.h"
#include "wal/disk/simulated_disk.h"
#include "wal/export/test_link.h"
#include "wal/recovery_test_util.h"
#include "wal/test_stream.h"

namespace tidemark::server {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ExportServiceTest : public testing::Test {
 protected:
  ExportServiceTest() {
    Set(Setting::kExportMode, "listen");
    Set(Setting::kExportAddr, "127.0.0.1:0");
    Set(Setting::kExportToken, "secret");
    OpenLog();
  }
  ~ExportServiceTest() override { CloseLog(); }

  void Set(Setting setting, std::string_view text) {
    const absl::Status set = settings_.Set(setting, text);
    ASSERT_TRUE(set.ok()) << set;
  }
  void OpenLog() {
    directory_ = *wal::DataDirectory::Open(disk_, wal::kDirectory, wal::DirectoryId(5));
    wal::RecoveryOptions recovery;
    recovery.shard_count = 1;
    recovery.fresh_history = HistoryId(++last_history_);
    wal::MapSink sink;
    const auto recovered = wal::Recover(*directory_, recovery, sink);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    wal::Log::Options options;
    options.fsync = wal::FsyncPolicy::kAlways;
    log_ = *wal::Log::Open(*directory_,
                           {.history = recovered->history,
                            .positions = recovered->positions,
                            .next_segment = recovered->next_segment},
                           options);
    stream_ = std::make_unique<wal::TestStream>(recovered->history, ShardId(0), uint16_t{1},
                                                recovered->positions[0]);
  }
  void CloseLog() {
    ASSERT_TRUE(log_->Stop().ok());
    wal::Manifest manifest = directory_->manifest();
    manifest.clean_stop = log_->final_positions();
    ASSERT_TRUE(directory_->Save(std::move(manifest)).ok());
    service_.reset();
    log_.reset();
    directory_.reset();
  }
  void Serve() {
    auto service = ExportService::Start(settings_, *directory_, log_, retention_);
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
  }
  void Write(size_t records) {
    log_->shard(ShardId(0)).Append(stream_->Make(records));
    log_->shard(ShardId(0)).OnTurnEnd();
  }

  uint64_t last_history_ = 6;
  Settings settings_{NodeRole::kPrimary};
  wal::SimulatedDisk disk_{1};
  std::unique_ptr<wal::DataDirectory> directory_;
  std::shared_ptr<wal::Log> log_;
  std::unique_ptr<wal::TestStream> stream_;
  wal::Retention retention_;
  std::unique_ptr<ExportService> service_;
};

TEST_F(ExportServiceTest, OffIsNoService) {
  Set(Setting::kExportMode, "off");
  Serve();
  EXPECT_EQ(service_, nullptr);
}

TEST_F(ExportServiceTest, ListeningWithoutATokenIsRefused) {
  Set(Setting::kExportToken, "");
  EXPECT_EQ(ExportService::Start(settings_, *directory_, log_, retention_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ExportServiceTest, WritesReachTheConsumerAndItsPlaceSurvivesARestart) {
  Serve();
  wal::TestLink link({.name = "a", .token = "secret", .port = service_->port()});
  ASSERT_TRUE(link.Connect({.from = wal::ExportStart::From::kBeginning, .position = {}}));
  for (int i = 0; i < 100; ++i) Write(3);
  while (link.records() < 300) ASSERT_TRUE(link.ReadSome());
  link.Acknowledge();
  ASSERT_TRUE(Eventually([&] {
    const wal::ExportStatus status = service_->status();
    return !status.consumers.empty() && status.consumers[0].lag_records == 0 &&
           status.consumers[0].acked.sequences[0] == Sequence(300);
  }));
  EXPECT_THAT(service_->status().exported.sequences, SizeIs(1));
  const wal::ExportPosition stored = link.cursor();
  EXPECT_THAT(service_->Stop(), IsEmpty());
  CloseLog();

  OpenLog();
  Serve();
  ASSERT_THAT(service_->status().consumers, SizeIs(1));
  EXPECT_EQ(service_->status().consumers[0].acked, stored);
  EXPECT_THAT(retention_.Readers(), SizeIs(1));
  Write(2);
  wal::TestLink again({.name = "a", .token = "secret", .port = service_->port()});
  ASSERT_TRUE(again.Connect({.from = wal::ExportStart::From::kPosition, .position = stored}));
  while (again.records() < 2) ASSERT_TRUE(again.ReadSome());
  EXPECT_EQ(again.cursor().sequences[0], Sequence(302));
}

TEST_F(ExportServiceTest, ADamagedFileOfConsumersIsRefusedAndNamed) {
  auto file = disk_.OpenFile(directory_->ConsumersPath(), wal::Disk::Open::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(0, "garbage garbage garbage").ok());
  const absl::Status refused =
      ExportService::Start(settings_, *directory_, log_, retention_).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("consumers"));
}

}  // namespace
}  // namespace tidemark::server
