#include "server/info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

NodeReport PrimaryWithOneReplica() {
  NodeReport report;
  report.port = 6379;
  report.by_shard.resize(2);
  report.by_shard[0].keys = 3;
  report.by_shard[1].keys = 4;
  report.by_shard[1].commands["get"] = {.calls = 4, .usec = 10, .rejected = 1, .failed = 2};
  report.by_shard[1].errors["WRONGTYPE"] = 2;
  report.total = Sum(report.by_shard);
  report.replication.emitted = {Sequence(5), Sequence(7)};
  report.replication.replicas.push_back({.id = 1,
                                         .address = "127.0.0.1:6380",
                                         .state = "online",
                                         .acked = {Sequence(5), Sequence(6)},
                                         .lag_ms = 2500});
  return report;
}

std::string Text(std::vector<std::string_view> sections) {
  return InfoText(PrimaryWithOneReplica(), sections);
}

TEST(InfoTest, KeyspaceAddsUpTheShards) {
  EXPECT_EQ(Text({"keyspace"}), "# Keyspace\r\ndb0:keys=7,expires=0,avg_ttl=0\r\n");
}

TEST(InfoTest, AnEmptyKeyspaceHasNoDatabaseLine) {
  const std::string_view wanted[] = {"keyspace"};
  EXPECT_EQ(InfoText(NodeReport(), wanted), "# Keyspace\r\n");
}

TEST(InfoTest, SectionsAreNamedInAnyCaseAndComeInTheirOwnOrder) {
  const std::string text = Text({"CPU", "Server"});
  EXPECT_THAT(text, StartsWith("# Server\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\n\r\n# CPU\r\n"));
}

TEST(InfoTest, WithoutADataDirectoryPersistenceSaysThatThereIsNone) {
  EXPECT_THAT(Text({"persistence"}),
              AllOf(HasSubstr("loading:0\r\n"), HasSubstr("rdb_last_bgsave_time_sec:-1\r\n"),
                    HasSubstr("aof_enabled:0\r\n"), Not(HasSubstr("wal_"))));
}

TEST(InfoTest, PersistenceSpeaksOfTheLogInRedisWordsAndItsOwn) {
  NodeReport report;
  DurabilityView& log = report.durability;
  log.enabled = true;
  log.fsync = "always";
  log.writing = false;
  log.cause = "no space";
  log.written = {Sequence(5)};
  log.durable = {Sequence(4)};
  log.writes_since_snapshot = 9;
  log.last_snapshot_duration_ms = 2500;
  log.counters["queued_bytes"] = 77;
  const std::string_view wanted[] = {"persistence"};
  const std::string text = InfoText(report, wanted);
  for (const char* line :
       {"rdb_changes_since_last_save:9\r\n", "rdb_last_bgsave_time_sec:2\r\n", "aof_enabled:1\r\n",
        "aof_last_write_status:err\r\n", "aof_buffer_length:77\r\n", "aof_pending_bio_fsync:1\r\n",
        "wal_fsync:always\r\n", "wal_state:disk-full\r\n", "wal_cause:no space\r\n",
        "wal_queued_bytes:77\r\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(InfoTest, WhileLoadingPersistenceSaysHowFar) {
  NodeReport report;
  report.durability.enabled = true;
  report.durability.loading = true;
  report.durability.loading_total_bytes = 200;
  report.durability.loading_loaded_bytes = 50;
  report.durability.loading_percent = 25;
  report.durability.loading_eta_s = 3;
  const std::string_view wanted[] = {"persistence"};
  EXPECT_THAT(
      InfoText(report, wanted),
      AllOf(HasSubstr("loading:1\r\n"), HasSubstr("loading_total_bytes:200\r\n"),
            HasSubstr("loading_loaded_perc:25.00\r\n"), HasSubstr("loading_eta_seconds:3\r\n")));
}

TEST(InfoTest, AnUnknownSectionIsEmpty) { EXPECT_EQ(Text({"nonsense"}), ""); }

TEST(InfoTest, TheDefaultLeavesOutTheCommands) {
  EXPECT_THAT(Text({}), AllOf(HasSubstr("# Replication"), Not(HasSubstr("# Commandstats"))));
  EXPECT_THAT(Text({"everything"}), HasSubstr("# Commandstats"));
}

TEST(InfoTest, CommandStatsDivideTimeByCalls) {
  EXPECT_THAT(Text({"commandstats"}),
              HasSubstr("cmdstat_get:calls=4,usec=10,usec_per_call=2.50,rejected_calls=1,"
                        "failed_calls=2\r\n"));
}

TEST(InfoTest, ErrorsAreCountedByTheirFirstWord) {
  EXPECT_THAT(Text({"errorstats"}), HasSubstr("errorstat_WRONGTYPE:count=2\r\n"));
}

TEST(InfoTest, APrimaryListsItsReplicas) {
  EXPECT_THAT(Text({"replication"}),
              AllOf(HasSubstr("role:master\r\n"), HasSubstr("connected_slaves:1\r\n"),
                    HasSubstr("slave0:ip=127.0.0.1,port=6380,state=online,offset=11,lag=2\r\n"),
                    HasSubstr("master_repl_offset:12\r\n")));
}

TEST(InfoTest, APrimaryCountsHowItsReplicasCaughtUp) {
  NodeReport report = PrimaryWithOneReplica();
  report.replication.counters = {
      {"full_syncs_total", 3}, {"partial_syncs_total", 2}, {"partial_syncs_refused_total", 1}};
  const std::string_view wanted[] = {"stats"};
  EXPECT_THAT(InfoText(report, wanted),
              HasSubstr("sync_full:3\r\nsync_partial_ok:2\r\nsync_partial_err:1\r\n"));
}

TEST(InfoTest, WhatARoleDoesNotCountIsNotShown) {
  EXPECT_THAT(Text({"stats"}), Not(HasSubstr("sync_full")));
}

TEST(InfoTest, MemoryIsAccountedFromTheAllocatorUpwards) {
  NodeReport report;
  report.total.keyspace_bytes = 250;
  report.process.has_allocator = true;
  report.process.allocated_bytes = 1000;
  report.process.allocator_active_bytes = 1100;
  report.process.allocator_resident_bytes = 2200;
  report.process.rss_bytes = 2000;
  const std::string_view wanted[] = {"memory"};
  EXPECT_THAT(InfoText(report, wanted),
              AllOf(HasSubstr("used_memory_dataset_perc:25.00%\r\n"),
                    HasSubstr("allocator_frag_ratio:1.10\r\nallocator_frag_bytes:100\r\n"),
                    HasSubstr("allocator_rss_ratio:2.00\r\nallocator_rss_bytes:1100\r\n"),
                    HasSubstr("rss_overhead_ratio:0.91\r\nrss_overhead_bytes:-200\r\n"),
                    HasSubstr("mem_fragmentation_ratio:2.00\r\nmem_fragmentation_bytes:1000\r\n")));
}

TEST(InfoTest, AReplicaSaysWhomItFollows) {
  NodeReport report;
  report.replica = true;
  report.replication.primary_host = "10.0.0.1";
  report.replication.primary_port = 7631;
  report.replication.link_up = true;
  report.replication.link_silent_ms = 1999;
  const std::string_view wanted[] = {"replication"};
  EXPECT_THAT(InfoText(report, wanted),
              AllOf(HasSubstr("role:slave\r\n"), HasSubstr("master_host:10.0.0.1\r\n"),
                    HasSubstr("master_port:7631\r\n"), HasSubstr("master_link_status:up\r\n"),
                    HasSubstr("master_last_io_seconds_ago:1\r\n")));
}

TEST(HumanBytesTest, KeepsTwoDecimals) {
  EXPECT_EQ(HumanBytes(0), "0B");
  EXPECT_EQ(HumanBytes(1023), "1023B");
  EXPECT_EQ(HumanBytes(1024), "1.00K");
  EXPECT_EQ(HumanBytes(3u << 29), "1.50G");
}

}  // namespace
}  // namespace tidemark::server
