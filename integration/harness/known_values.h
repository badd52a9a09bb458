// KnownValues are keys whose values follow from their numbers: whoever reads one can tell whether
// it is what was written, however many there are.
//
//   const KnownValues values("k", 1024);
//   KnownValues::Answers written = values.Write(client, 0, 100'000);
//   EXPECT_THAT(values.Wrong(client, 0, 100'000, 7), IsEmpty());   // Every seventh.
//
// Threading: const, and so for any thread; a client is one thread's.

#ifndef TIDEMARK_INTEGRATION_HARNESS_KNOWN_VALUES_H_
#define TIDEMARK_INTEGRATION_HARNESS_KNOWN_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "integration/harness/redis_client.h"

namespace tidemark::integration {

class KnownValues {
 public:
  KnownValues(std::string prefix, size_t value_bytes)
      : prefix_(std::move(prefix)), value_bytes_(value_bytes) {}

  std::string Key(int64_t number) const { return prefix_ + std::to_string(number); }
  std::string Value(int64_t number) const;

  // What SETs were answered: how many OK, and how many of each error.
  struct Answers {
    int64_t ok = 0;
    std::map<std::string, int64_t> errors = {};

    int64_t refused() const;
    friend bool operator==(const Answers&, const Answers&) = default;
  };
  // SETs the keys numbered from `begin` to before `end`, in pipelines.
  Answers Write(RedisClient& client, int64_t begin, int64_t end) const;

  // A key whose value is not what Write() set, as GET answered it.
  struct Finding {
    int64_t number = 0;
    Reply reply = {};
  };
  // GETs each `stride`th of them.
  std::vector<Finding> Wrong(RedisClient& client, int64_t begin, int64_t end,
                             int64_t stride = 1) const;

 private:
  const std::string prefix_;
  const size_t value_bytes_;
};
void PrintTo(const KnownValues::Answers& answers, std::ostream* out);
void PrintTo(const KnownValues::Finding& finding, std::ostream* out);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_KNOWN_VALUES_H_
