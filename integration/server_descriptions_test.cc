// What the server says of itself to tools: COMMAND INFO and DOCS, and the fields of INFO, beside
// those of redis-server 7.0.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <string_view>

#include "integration/harness/node.h"
#include "integration/harness/redis_server.h"
#include "integration/harness/resp_connection.h"

namespace tidemark::integration {
namespace {

using testing::IsEmpty;

class ServerDescriptionsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(redis_.AwaitReady() && primary_.AwaitReady()); }

  // The commands of ours that Redis 7.0 has too and that have no subcommands, whose order is any.
  std::vector<std::string> SharedCommands() {
    std::vector<std::string> names;
    const Reply all = primary_.Connect().Do({"COMMAND", "LIST"});
    RedisClient redis(redis_.port());
    for (const Reply& name : all.elements) {
      const Reply info = redis.Do({"COMMAND", "INFO", name.text});
      const bool known = info.elements.size() == 1 && info.elements[0].elements.size() == 10;
      if (known && info.elements[0].elements[9].elements.empty()) names.push_back(name.text);
    }
    EXPECT_GT(names.size(), 80);
    return names;
  }

  Node primary_ = Node::Primary({"--shards=2"});
  RedisServer redis_;
};

TEST_F(ServerDescriptionsTest, CommandInfoIsRedis) {
  const std::regex remarks("\"notes\": \"[^\"]*\", ");  // Redis adds some to key specs.
  RespConnection ours(primary_.port());
  RespConnection theirs(redis_.port());
  ours.Do({"HELLO", "3"});
  theirs.Do({"HELLO", "3"});
  for (const std::string& name : SharedCommands()) {
    const std::vector<std::string> command = {"COMMAND", "INFO", name};
    EXPECT_EQ(ours.Do(command), std::regex_replace(theirs.Do(command), remarks, ""));
  }
}

// The arguments, that is: the words around them are our own.
TEST_F(ServerDescriptionsTest, CommandDocsHaveRedisArguments) {
  const auto arguments = [](const std::string& reply) {
    const size_t begin = reply.find("\"arguments\"");
    return begin == std::string::npos ? std::string() : reply.substr(begin);
  };
  RespConnection ours(primary_.port());
  RespConnection theirs(redis_.port());
  for (const std::string& name : SharedCommands()) {
    if (name == "debug") continue;  // Redis documents none; ours are few enough to say.
    const std::vector<std::string> command = {"COMMAND", "DOCS", name};
    EXPECT_EQ(arguments(ours.Do(command)), arguments(theirs.Do(command))) << name;
  }
}

std::set<std::string> FieldsOf(const std::string& info) {
  std::set<std::string> fields;
  const std::regex field("(?:^|\n)([a-z0-9_]+):");
  for (std::sregex_iterator it(info.begin(), info.end(), field), end; it != end; ++it) {
    fields.insert((*it)[1]);
  }
  return fields;
}

// What Redis counts and a node has not. Everything else that Redis shows, a node shows.
constexpr std::string_view kWithoutMeaningHere[] = {
    // Of a build that is another's.
    "redis_git_sha1",
    "redis_git_dirty",
    "redis_build_id",
    "atomicvar_api",
    // Scripts and functions.
    "used_memory_lua",
    "used_memory_lua_human",
    "used_memory_vm_.*",
    "used_memory_scripts.*",
    "used_memory_functions",
    "number_of_.*",
    // The peak that is known is the resident memory's, of which this is no share.
    "used_memory_peak_perc",
    // How long memory was above its limit; memory that is freed by another thread.
    ".*_eviction_exceeded_time",
    "lazyfree.*",
    // Buffers that do not exist, or are one with the backlog.
    "mem_total_replication_buffers",
    "mem_cluster_links",
    "mem_aof_buffer",
    // Child processes that save.
    "current_.*",
    "rdb_.*",
    "aof_.*",
    "module_fork_.*",
    "latest_fork_usec",
    "total_forks",
    // Rates that the totals' growth tells.
    "instantaneous_.*_repl_kbps",
    "total_net_repl_input_bytes",
    // Expiry by sampling, which knows how much it missed; expiry on writable replicas.
    "expired_stale_perc",
    "expired_time_cap_reached_count",
    "expire_cycle_cpu_milliseconds",
    "slave_expires_tracked_keys",
    // Defragmentation, client side caching, MIGRATE, RESTORE, threads for sockets.
    "active_defrag_.*",
    "total_active_defrag_time",
    "tracking_total_.*",
    "migrate_cached_sockets",
    "dump_payload_sanitizations",
    "io_threaded_.*",
    "reply_buffer_.*",
    // Errors that only its own replication can meet.
    "unexpected_error_replies",
    // A stream of bytes: a backlog here holds frames of several streams.
    "repl_backlog_first_byte_offset",
    // The thread that does everything: here each shard has one.
    "used_cpu_.*_main_thread",
};

TEST_F(ServerDescriptionsTest, InfoShowsWhatDashboardsShow) {
  std::set<std::string> missing = FieldsOf(RedisClient(redis_.port()).Do({"INFO"}).text);
  for (const std::string& field : FieldsOf(primary_.Connect().Do({"INFO"}).text)) {
    missing.erase(field);
  }
  for (std::string_view pattern : kWithoutMeaningHere) {
    const std::regex meaningless{std::string(pattern)};
    const size_t excused = std::erase_if(
        missing, [&](const std::string& field) { return std::regex_match(field, meaningless); });
    EXPECT_GT(excused, 0) << "needs no excuse: " << pattern;
  }
  EXPECT_THAT(missing, IsEmpty());
}

TEST_F(ServerDescriptionsTest, ResetstatSetsCountersBack) {
  RedisClient client = primary_.Connect();
  for (int i = 0; i < 100; ++i) client.Do({"PING"});
  EXPECT_EQ(client.Do({"CONFIG", "RESETSTAT"}), Reply::Status("OK"));
  const std::string stats = client.Do({"INFO", "stats"}).text;
  std::smatch commands;
  ASSERT_TRUE(std::regex_search(stats, commands, std::regex("total_commands_processed:(\\d+)")));
  EXPECT_LT(std::stoi(commands[1]), 10);
  EXPECT_NE(stats.find("total_connections_received:0\r\n"), std::string::npos) << stats;
}

}  // namespace
}  // namespace tidemark::integration
