// A trace is a sequence of keys, as numbers, in the order in which clients ask for them: what
// caches are compared with. The same spec gives the same trace, on every machine.
//
//   name       requests
//   zipf99     keys of popularity 1 / rank^0.99, each request independent of those before: YCSB's
//   default zipf80     the same with exponent 0.8: a longer tail scan       zipf99 over half of the
//   keys; now and then somebody reads a stretch of the other half, in
//              order, as a backup or a report does: keys / 10 of them after every keys / 2 requests
//   loop       all keys in order, again and again
//   shift      nine of ten requests go to a hot set of keys / 20 (zipf 0.8 among them), one to any
//   key;
//              after every 2 * keys requests the hot set is another one
//   words      what is not made up: each two neighbouring words of a text are one request
//   (word_trace.h)
//
// Threading: a source is confined to one thread.

#ifndef TIDEMARK_TOOLS_TRACES_TRACE_H_
#define TIDEMARK_TOOLS_TRACES_TRACE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace tidemark::traces {

using KeyId = uint64_t;

enum class TraceKind { kZipf99, kZipf80, kScan, kLoop, kShift };

struct NamedKind {
  std::string_view name;
  TraceKind kind;
};
inline constexpr std::array<NamedKind, 5> kSyntheticTraces = {{
    {"zipf99", TraceKind::kZipf99},
    {"zipf80", TraceKind::kZipf80},
    {"scan", TraceKind::kScan},
    {"loop", TraceKind::kLoop},
    {"shift", TraceKind::kShift},
}};

// None if no synthetic trace has this name.
std::optional<TraceKind> TraceKindNamed(std::string_view name);

// An endless source of requests. Keys are 0 to spec.keys - 1.
class AccessSource {
 public:
  virtual ~AccessSource() = default;
  virtual KeyId Next() = 0;
};

struct TraceSpec {
  TraceKind kind = TraceKind::kZipf99;
  uint64_t keys = 0;  // At least 20.
  uint64_t seed = 1;
};
std::unique_ptr<AccessSource> MakeSource(const TraceSpec& spec);

// The first `requests` of a source.
std::vector<KeyId> Take(AccessSource& source, uint64_t requests);

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_TRACE_H_
