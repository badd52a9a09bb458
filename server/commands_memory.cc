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

void MemoryStats(Client& client, Args) {
  client.node().AnswerReport(client, [](const NodeReport& r, ReplyBuilder& reply) {
    const std::pair<std::string_view, uint64_t> rows[] = {
        {"peak.allocated", r.process.peak_rss_bytes},
        {"total.allocated", r.process.allocated_bytes},
        {"replication.backlog", r.replication.backlog_bytes},
        {"clients.normal", r.total.client_output_bytes},
        {"overhead.total",
         r.process.allocated_bytes - std::min(r.process.allocated_bytes, r.total.keyspace_bytes)},
        {"keys.count", r.total.keys},
        {"keys.bytes-per-key", r.total.keys == 0 ? 0 : r.total.keyspace_bytes / r.total.keys},
        {"dataset.bytes", r.total.keyspace_bytes},
        {"allocator.resident", r.process.rss_bytes},
    };
    reply.MapHeader(std::size(rows));
    for (const auto& [name, value] : rows) {
      reply.Bulk(name);
      reply.Integer(static_cast<int64_t>(value));
    }
  });
}

void MemoryDoctor(Client& client, Args) {
  client.node().AnswerReport(client, [](const NodeReport& r, ReplyBuilder& reply) {
    const double ratio = r.process.allocated_bytes == 0
                             ? 1.0
                             : static_cast<double>(r.process.rss_bytes) /
                                   static_cast<double>(r.process.allocated_bytes);
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
