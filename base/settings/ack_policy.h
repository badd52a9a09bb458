// The setting ack: what a reply to a write waits for. docs/acks.md says what each word promises.

#ifndef TIDEMARK_BASE_SETTINGS_ACK_POLICY_H_
#define TIDEMARK_BASE_SETTINGS_ACK_POLICY_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tidemark {

struct AckPolicy {
  enum class Kind : unsigned char {
    kMemory,           // Nothing: the write has run.
    kDurable,          // This node's disk.
    kReplicas,         // `replicas` replicas have applied it.
    kDurableReplicas,  // `replicas` replicas have it on disk, and so has this node if it keeps a
                       // log.
  };
  static constexpr int kMaxReplicas = 16;

  Kind kind = Kind::kMemory;
  int replicas = 0;  // 1 to kMaxReplicas where the kind counts them, else 0.

  friend bool operator==(const AckPolicy&, const AckPolicy&) = default;
};

// "memory", "durable", "replicas:N" or "durable_replicas:N", in any case.
std::optional<AckPolicy> ParseAckPolicy(std::string_view text);
std::string ToString(const AckPolicy& policy);
// What ParseAckPolicy() takes, for an error.
inline constexpr std::string_view kAckPolicyForms =
    "memory, durable, replicas:N or durable_replicas:N with N from 1 to 16";

// Why a node with these settings cannot give what `policy` promises; empty: it can.
std::string_view WhyNotAck(const AckPolicy& policy, bool has_data_dir, bool fsync_never);

// SettingSpec::canonical.
absl::StatusOr<std::string> CanonicalAckPolicy(std::string_view current, std::string_view text);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_ACK_POLICY_H_
