// Redis' policies as models: victims come from a pool of candidates that random samples compete for
// (redis.io, "Using Redis as an LRU cache", "Approximated LRU algorithm").
//
// Threading: as CacheModel.

#ifndef TIDEMARK_TOOLS_TRACES_SAMPLED_MODELS_H_
#define TIDEMARK_TOOLS_TRACES_SAMPLED_MODELS_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tools/traces/cache_model.h"
#include "tools/traces/random.h"

namespace tidemark::traces {

enum class SampledPolicy { kLru, kLfu, kRandom };

class SampledModel final : public CacheModel {
 public:
  SampledModel(SampledPolicy policy, size_t capacity) : policy_(policy), capacity_(capacity) {}

  bool Access(KeyId key) override;

 private:
  static constexpr size_t kSamples = 5;        // maxmemory-samples
  static constexpr size_t kPool = 16;          // EVPOOL_SIZE
  static constexpr uint8_t kInitialCount = 5;  // LFU_INIT_VAL

  struct Slot {
    KeyId key = 0;
    uint64_t used = 0;  // The number of the latest request.
    uint8_t count = kInitialCount;
  };
  struct Candidate {
    uint64_t idle;
    KeyId key;
  };

  // The higher, the better a victim.
  uint64_t Idle(const Slot& slot) const;
  void Touch(Slot& slot);
  void Sample();
  size_t Victim();

  const SampledPolicy policy_;
  const size_t capacity_;
  Random random_{1};
  uint64_t request_ = 0;
  std::vector<Slot> slots_;
  std::unordered_map<KeyId, size_t> slot_of_;
  std::vector<Candidate> pool_;  // By idle, the best victim last. What it says may be outdated.
};

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_SAMPLED_MODELS_H_
