#include "base/settings/redis_constants.h"

namespace tidemark {
namespace {

constexpr RedisConstant kConstants[] = {
    {"databases", "1"},
    {"hz", "10"},
    {"io-threads", "1"},
    // Nothing is written to disk.
    {"save", ""},
    {"appendonly", "no"},
    // Clients' buffers count towards maxmemory; no client is cut for them.
    {"maxmemory-clients", "0"},
    {"cluster-enabled", "no"},
    // What INFO latencystats shows; LATENCY samples no events.
    {"latency-tracking-info-percentiles", "50 99 99.9"},
    {"latency-monitor-threshold", "0"},
    {"notify-keyspace-events", ""},
    {"protected-mode", "no"},
    {"replica-read-only", "yes"},
    {"slave-read-only", "yes"},
    {"replica-serve-stale-data", "yes"},
    {"slave-serve-stale-data", "yes"},
};

}  // namespace

std::span<const RedisConstant> RedisConstants() { return kConstants; }

}  // namespace tidemark
