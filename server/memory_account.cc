#include "server/memory_account.h"

namespace tidemark::server {
namespace {

uint64_t Excess(uint64_t more, uint64_t less) { return more - std::min(more, less); }

uint64_t SlackBytes(uint64_t maxmemory_bytes) {
  return maxmemory_bytes / 100 * MemoryAccount::kRssSlackPercent + MemoryAccount::kRssConstantBytes;
}

}  // namespace

MemoryAccount MemoryAccount::Of(const NodeReport& report) {
  MemoryAccount account;
  account.has_allocator = report.process.has_allocator;
  account.allocated_bytes = report.process.allocated_bytes;
  account.mapped_bytes = report.total.mapped_bytes;
  account.rss_bytes = report.process.rss_bytes;
  account.keyspace_bytes = report.total.keyspace_bytes;
  account.client_bytes = report.total.client_memory_bytes;
  account.mesh_bytes = report.total.mesh_bytes;
  account.backlog_bytes = report.replication.backlog_bytes;
  account.subscriber_queue_bytes = QueuedBytes(report.replication);
  const auto queued = report.durability.counters.find("queued_bytes");
  if (queued != report.durability.counters.end()) account.log_queue_bytes = queued->second;
  return account;
}

uint64_t KeyspaceLimit(uint64_t maxmemory_bytes, const MemoryAccount& account) {
  const uint64_t overhead = Excess(account.counted_bytes(), account.keyspace_bytes);
  const uint64_t limit = Excess(maxmemory_bytes, overhead);
  const uint64_t unusable = Excess(
      account.rss_bytes, maxmemory_bytes + SlackBytes(maxmemory_bytes) + account.uncounted_bytes());
  if (!account.has_allocator || unusable == 0) return limit;
  return std::max(Excess(limit, unusable), std::min(limit, maxmemory_bytes / 2));
}

bool WantsPurge(uint64_t maxmemory_bytes, const MemoryAccount& account) {
  return account.has_allocator && account.rss_bytes > maxmemory_bytes +
                                                          SlackBytes(maxmemory_bytes) / 2 +
                                                          account.uncounted_bytes();
}

int OvershootPercent(uint64_t maxmemory_bytes, const MemoryAccount& account) {
  if (maxmemory_bytes == 0) return 0;
  const uint64_t over = Excess(account.counted_bytes(), maxmemory_bytes);
  return static_cast<int>(std::min<uint64_t>(100, over * 100 / SlackBytes(maxmemory_bytes)));
}

}  // namespace tidemark::server
