#include "wal/export/consumer_table.h"

#include "base/check.h"
#include "base/link/wire_vectors.h"
#include "wal/export/consumers.pb.h"
#include "wal/export/export_message.h"

namespace tidemark::wal {

const ConsumerTable::Entry* ConsumerTable::Find(std::string_view name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second;
}

bool ConsumerTable::HasRoomFor(std::string_view name) const {
  return entries_.size() < max_consumers_ || entries_.contains(name);
}

void ConsumerTable::Set(std::string_view name, Entry entry) {
  CHECK(HasRoomFor(name));
  entries_.insert_or_assign(std::string(name), std::move(entry));
  dirty_ = true;
}

bool ConsumerTable::Forget(std::string_view name) {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return false;
  entries_.erase(it);
  dirty_ = true;
  return true;
}

std::string ConsumerTable::Serialize() const {
  wire::Consumers consumers;
  for (const auto& [name, entry] : entries_) {
    wire::Consumer* out = consumers.add_consumers();
    out->set_name(name);
    out->set_history(entry.acked.history.value());
    tidemark::ToWire(entry.acked.sequences, out->mutable_positions());
    out->set_segment(entry.segment);
    out->set_seen_ms(entry.seen_ms);
  }
  return consumers.SerializeAsString();
}

absl::Status ConsumerTable::Load(std::string_view bytes) {
  wire::Consumers consumers;
  if (!consumers.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the list of consumers is not valid Protobuf");
  }
  entries_.clear();
  for (const wire::Consumer& consumer : consumers.consumers()) {
    if (!IsConsumerName(consumer.name()) || consumer.positions_size() > kMaxShards) {
      return absl::DataLossError("the list of consumers has an entry that cannot be");
    }
    entries_[consumer.name()] = {.acked = {.history = HistoryId(consumer.history()),
                                           .sequences = tidemark::FromWire(consumer.positions())},
                                 .segment = consumer.segment(),
                                 .seen_ms = consumer.seen_ms()};
  }
  return absl::OkStatus();
}

}  // namespace tidemark::wal
