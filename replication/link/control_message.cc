#include "replication/link/control_message.h"

#include <array>

namespace tidemark::replication {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<ControlMessage>> kNames = {
    "Hello", "Accept", "Refuse", "SnapshotEnd", "Ack", "Heartbeat", "Goodbye", "Promote"};

}  // namespace

std::string_view ControlName(const ControlMessage& message) { return kNames[message.index()]; }

}  // namespace tidemark::replication
