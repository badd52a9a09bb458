// Policies that keep their keys in queues: exact LRU, SIEVE and S3-FIFO.
//
// Threading: as CacheModel.

#ifndef TIDEMARK_TOOLS_TRACES_QUEUE_MODELS_H_
#define TIDEMARK_TOOLS_TRACES_QUEUE_MODELS_H_

#include <cstdint>
#include <list>
#include <unordered_map>

#include "tools/traces/cache_model.h"

namespace tidemark::traces {

class LruModel final : public CacheModel {
 public:
  explicit LruModel(size_t capacity) : capacity_(capacity) {}
  bool Access(KeyId key) override;

 private:
  const size_t capacity_;
  std::list<KeyId> queue_;  // The latest first.
  std::unordered_map<KeyId, std::list<KeyId>::iterator> place_of_;
};

class SieveModel final : public CacheModel {
 public:
  explicit SieveModel(size_t capacity) : capacity_(capacity) {}
  bool Access(KeyId key) override;

 private:
  struct Item {
    KeyId key;
    bool visited;
  };
  void Evict();

  const size_t capacity_;
  std::list<Item> queue_;                          // The newest first.
  std::list<Item>::iterator hand_ = queue_.end();  // end(): goes on at the oldest.
  std::unordered_map<KeyId, std::list<Item>::iterator> place_of_;
};

class S3FifoModel final : public CacheModel {
 public:
  // A tenth for the small queue, as many ghosts as the main queue holds.
  explicit S3FifoModel(size_t capacity)
      : capacity_(capacity),
        small_capacity_(capacity / 10),
        main_capacity_(capacity - capacity / 10) {}
  bool Access(KeyId key) override;

 private:
  static constexpr uint8_t kMaxUses = 3;

  // Each may only move keys into the main queue; Access() repeats them until there is room.
  void EvictFromSmall();
  void EvictFromMain();
  void Remember(KeyId key);
  // False if it was no ghost; it is none afterwards.
  bool Forget(KeyId key);

  const size_t capacity_, small_capacity_, main_capacity_;
  std::list<KeyId> small_, main_, ghosts_;   // The newest first.
  std::unordered_map<KeyId, uint8_t> uses_;  // Of the keys that are here, since they came or moved.
  std::unordered_map<KeyId, std::list<KeyId>::iterator> ghost_of_;
};

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_QUEUE_MODELS_H_
