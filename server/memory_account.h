// MemoryAccount says where a node's memory is, part by part, beside what its allocator and the
// kernel say, and what that leaves for the keyspaces under `maxmemory`. docs/memory.md, "The
// limit", explains what counts and why.
//
// A core: plain numbers, read elsewhere.

#ifndef TIDEMARK_SERVER_MEMORY_ACCOUNT_H_
#define TIDEMARK_SERVER_MEMORY_ACCOUNT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "server/node_report.h"

namespace tidemark::server {

struct MemoryAccount {
  // Resident memory may be above `maxmemory` by a tenth of it and this, besides what does not
  // count: programs, stacks, and what the allocator cannot give back.
  static constexpr uint64_t kRssConstantBytes = 32 << 20;
  static constexpr uint64_t kRssSlackPercent = 10;

  bool has_allocator = false;    // Whether the allocator keeps figures.
  uint64_t allocated_bytes = 0;  // By the allocator.
  uint64_t mapped_bytes = 0;     // What tables map beside it.
  uint64_t rss_bytes = 0;

  uint64_t keyspace_bytes = 0;  // Entries and tables.
  uint64_t client_bytes = 0;    // Clients' buffers, in and out.
  uint64_t mesh_bytes = 0;      // Commands under way between shards.
  uint64_t backlog_bytes = 0;   // Recent frames.
  uint64_t subscriber_queue_bytes =
      0;                         // Frames that wait for replicas; many are the backlog's, too.
  uint64_t log_queue_bytes = 0;  // Frames that wait for the disk, likewise.

  // Given out, by whoever knows best.
  uint64_t used_bytes() const {
    return has_allocator ? allocated_bytes + mapped_bytes
                         : keyspace_bytes + client_bytes + mesh_bytes + backlog_bytes;
  }
  // What eviction must not answer for, as it would make more of it: each eviction is a frame for
  // the replicas and for the log. Both are bounded by themselves.
  uint64_t uncounted_bytes() const {
    const uint64_t queues = subscriber_queue_bytes + log_queue_bytes;
    return std::min(used_bytes(), queues - std::min(queues, backlog_bytes));
  }
  uint64_t counted_bytes() const { return used_bytes() - uncounted_bytes(); }
  // Known to no class: connections, threads, the tables of this program.
  uint64_t other_bytes() const {
    const uint64_t known =
        keyspace_bytes + client_bytes + mesh_bytes + backlog_bytes + uncounted_bytes();
    return used_bytes() - std::min(used_bytes(), known);
  }

  static MemoryAccount Of(const NodeReport& report);
};

// What the keyspaces may hold, so that all that counts is no more than `maxmemory_bytes` and the
// resident size stays within its bound. Where the allocator cannot give back what was freed (pages
// that a few entries hold), evicting more helps little: for its sake no less than half of
// `maxmemory_bytes` is left.
uint64_t KeyspaceLimit(uint64_t maxmemory_bytes, const MemoryAccount& account);

// Whether resident memory is so near its bound that pages which the allocator keeps for later use
// should go back at once.
bool WantsPurge(uint64_t maxmemory_bytes, const MemoryAccount& account);

// How much of the slack above the limit is in use, in percent: PressureInput::kMemory.
int OvershootPercent(uint64_t maxmemory_bytes, const MemoryAccount& account);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_MEMORY_ACCOUNT_H_
