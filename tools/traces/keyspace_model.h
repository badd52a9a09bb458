// KeyspaceModel is cache::Keyspace itself behind the interface of the models: clients that read,
// and write what they miss.
//
// Threading: as CacheModel.

#ifndef TIDEMARK_TOOLS_TRACES_KEYSPACE_MODEL_H_
#define TIDEMARK_TOOLS_TRACES_KEYSPACE_MODEL_H_

#include "cache/keyspace.h"
#include "tools/traces/cache_model.h"

namespace tidemark::traces {

class KeyspaceModel final : public CacheModel {
 public:
  explicit KeyspaceModel(size_t capacity);
  bool Access(KeyId key) override;

 private:
  const size_t capacity_;
  cache::Keyspace keyspace_;
};

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_KEYSPACE_MODEL_H_
