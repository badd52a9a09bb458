#include "tools/traces/trace.h"

#include "base/check.h"
#include "tools/traces/random.h"
#include "tools/traces/zipf.h"

namespace tidemark::traces {
namespace {

class ZipfSource : public AccessSource {
 public:
  ZipfSource(const TraceSpec& spec, double s) : random_(spec.seed), zipf_(spec.keys, s) {}
  KeyId Next() override { return zipf_.Draw(random_); }

 private:
  Random random_;
  const Zipf zipf_;
};

class ScanSource : public AccessSource {
 public:
  explicit ScanSource(const TraceSpec& spec)
      : popular_(spec.keys / 2),
        scanned_(spec.keys - popular_),
        stretch_(spec.keys / 10),
        period_(spec.keys / 2 + stretch_),
        random_(spec.seed),
        zipf_(popular_, 0.99) {}

  KeyId Next() override {
    if (request_++ % period_ < period_ - stretch_) return zipf_.Draw(random_);
    // Where the stretch before ended: each is read again after five stretches.
    return popular_ + next_scanned_++ % scanned_;
  }

 private:
  const uint64_t popular_, scanned_, stretch_, period_;
  Random random_;
  const Zipf zipf_;
  uint64_t request_ = 0;
  uint64_t next_scanned_ = 0;
};

class LoopSource : public AccessSource {
 public:
  explicit LoopSource(const TraceSpec& spec) : keys_(spec.keys) {}
  KeyId Next() override { return next_++ % keys_; }

 private:
  const uint64_t keys_;
  uint64_t next_ = 0;
};

class ShiftSource : public AccessSource {
 public:
  explicit ShiftSource(const TraceSpec& spec)
      : keys_(spec.keys), hot_(spec.keys / 20), random_(spec.seed), zipf_(hot_, 0.8) {}

  KeyId Next() override {
    const uint64_t first_hot = request_++ / (2 * keys_) * hot_;
    if (random_.Below(10) == 0) return random_.Below(keys_);
    return (first_hot + zipf_.Draw(random_)) % keys_;
  }

 private:
  const uint64_t keys_, hot_;
  Random random_;
  const Zipf zipf_;
  uint64_t request_ = 0;
};

}  // namespace

std::optional<TraceKind> TraceKindNamed(std::string_view name) {
  for (const NamedKind& each : kSyntheticTraces) {
    if (each.name == name) return each.kind;
  }
  return std::nullopt;
}

std::unique_ptr<AccessSource> MakeSource(const TraceSpec& spec) {
  CHECK(spec.keys >= 20);
  switch (spec.kind) {
    case TraceKind::kZipf99:
      return std::make_unique<ZipfSource>(spec, 0.99);
    case TraceKind::kZipf80:
      return std::make_unique<ZipfSource>(spec, 0.8);
    case TraceKind::kScan:
      return std::make_unique<ScanSource>(spec);
    case TraceKind::kLoop:
      return std::make_unique<LoopSource>(spec);
    case TraceKind::kShift:
      return std::make_unique<ShiftSource>(spec);
  }
  CHECK(false);
}

std::vector<KeyId> Take(AccessSource& source, uint64_t requests) {
  std::vector<KeyId> result;
  result.reserve(requests);
  for (uint64_t i = 0; i < requests; ++i) result.push_back(source.Next());
  return result;
}

}  // namespace tidemark::traces
