// MEMORY: where memory goes. (MEMORY USAGE looks at a key and is a data command.)

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cache/command.h"
#include "server/client.h"
#include "server/help.h"
#include "server/info.h"
#include "server/memory_usage.h"
#include "server/node.h"
#include "server/server_command.h"

namespace tidemark::server {
namespace {

using namespace cache;  // CommandFlag's names, for the rows.

void AnswerStats(const NodeReport& r, ReplyBuilder& reply) {
  const ProcessUsage& p = r.process;
  const auto excess = [](uint64_t more, uint64_t less) {
    return static_cast<int64_t>(more) - static_cast<int64_t>(less);
  };
  // std::pair converts: no figure here is beyond an int64_t.
  const std::pair<std::string_view, int64_t> figures[] = {
      {"peak.allocated", p.peak_rss_bytes},
      {"total.allocated", p.allocated_bytes},
      {"startup.allocated", r.startup_bytes},
      {"replication.backlog", r.replication.backlog_bytes},
      {"clients.slaves", QueuedBytes(r.replication)},
      {"clients.normal", r.total.client_memory_bytes},
      {"overhead.total", p.allocated_bytes - std::min(p.allocated_bytes, r.total.keyspace_bytes)},
      {"keys.count", r.total.keys},
      {"keys.bytes-per-key", r.total.keys == 0 ? 0 : r.total.keyspace_bytes / r.total.keys},
      {"dataset.bytes", r.total.keyspace_bytes},
      {"allocator.allocated", p.allocated_bytes},
      {"allocator.active", p.allocator_active_bytes},
      {"allocator.resident", p.allocator_resident_bytes},
      {"allocator-fragmentation.bytes", excess(p.allocator_active_bytes, p.allocated_bytes)},
      {"allocator-rss.bytes", excess(p.allocator_resident_bytes, p.allocator_active_bytes)},
      {"rss-overhead.bytes", excess(p.rss_bytes, p.allocator_resident_bytes)},
      {"fragmentation.bytes", excess(p.rss_bytes, p.allocated_bytes)},
  };
  const std::pair<std::string_view, double> ratios[] = {
      {"dataset.percentage", 100 * Ratio(r.total.keyspace_bytes, p.allocated_bytes)},
      {"allocator-fragmentation.ratio", Ratio(p.allocator_active_bytes, p.allocated_bytes)},
      {"allocator-rss.ratio", Ratio(p.allocator_resident_bytes, p.allocator_active_bytes)},
      {"rss-overhead.ratio", Ratio(p.rss_bytes, p.allocator_resident_bytes)},
      {"fragmentation", Ratio(p.rss_bytes, p.allocated_bytes)},
  };
  reply.MapHeader(std::size(figures) + std::size(ratios));
  for (const auto& [name, figure] : figures) {
    reply.Bulk(name);
    reply.Integer(figure);
  }
  for (const auto& [name, ratio] : ratios) {
    reply.Bulk(name);
    reply.Double(ratio);
  }
}

void MemoryStats(Client& client, Args) { client.node().AnswerReport(client, AnswerStats); }

void MemoryDoctor(Client& client, Args) {
  client.node().AnswerReport(client, [](const NodeReport& r, ReplyBuilder& reply) {
    const double ratio = Ratio(r.process.rss_bytes, r.process.allocated_bytes);
    if (r.process.allocated_bytes < (5u << 20)) {
      return reply.Verbatim("txt", "There is next to nothing in memory yet.\n");
    }
    reply.Verbatim(
        "txt",
        fmt::format("{} allocated, {} resident (ratio {:.2f}): {}\n",
                    HumanBytes(r.process.allocated_bytes), HumanBytes(r.process.rss_bytes), ratio,
                    ratio > 1.4 ? "much of it is fragmentation; MEMORY PURGE may help"
                                : "nothing stands out"));
  });
}

void MemoryPurge(Client& client, Args) {
  PurgeAllocator();
  client.reply().Ok();
}

void MemoryMallocStats(Client& client, Args) { client.reply().Verbatim("txt", AllocatorReport()); }

constexpr std::string_view kMemoryHelp[] = {
    "DOCTOR",
    "    What stands out in the use of memory.",
    "MALLOC-STATS",
    "    The allocator's own report.",
    "PURGE",
    "    Gives unused memory back to the system.",
    "STATS",
    "    Where memory goes.",
    "USAGE <key> [SAMPLES <count>]",
    "    What a key and its value take.",
};
void MemoryHelp(Client& client, Args) { AnswerHelp("MEMORY", kMemoryHelp, client.reply()); }

constexpr NamedHandler kHandlers[] = {
    {"memory|doctor", MemoryDoctor},
    {"memory|help", MemoryHelp},
    {"memory|malloc-stats", MemoryMallocStats},
    {"memory|purge", MemoryPurge},
    {"memory|stats", MemoryStats},
};

}  // namespace

std::span<const NamedHandler> MemoryHandlers() { return kHandlers; }

}  // namespace tidemark::server
