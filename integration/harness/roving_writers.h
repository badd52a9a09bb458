// RovingWriters are clients that write, each to keys of its own, wherever the primary is: READONLY
// sends one to the next node. Each key is written once, so what must be there afterwards is every
// write that was acknowledged.

#ifndef TIDEMARK_INTEGRATION_HARNESS_ROVING_WRITERS_H_
#define TIDEMARK_INTEGRATION_HARNESS_ROVING_WRITERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/node.h"

namespace tidemark::integration {

class RovingWriters {
 public:
  // They start at the first port.
  RovingWriters(std::vector<int> ports, int writers);
  ~RovingWriters() { Stop(); }

  void Stop();
  int64_t acknowledged() const;
  // After Stop(): the longest that a writer was without an acknowledgement.
  int64_t LongestGapMs() const;
  // After Stop(): the acknowledged writes that `node` does not have; and what else was answered.
  int64_t Missing(Node& node) const;
  std::string Faults() const;

 private:
  struct Writer {
    std::atomic<int64_t> acknowledged{0};  // The writes 0 to this, without it.
    int64_t longest_gap_ms = 0;
    std::string fault;
    std::thread thread;
  };
  void Write(size_t w, Writer& writer);

  const std::vector<int> ports_;
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_ROVING_WRITERS_H_
