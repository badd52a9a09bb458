#include "wal/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "wal/format/envelope.h"
#include "wal/manifest.pb.h"

namespace tidemark::wal {
namespace {

void Store(const Positions& positions,
           google::protobuf::RepeatedPtrField<stored::Position>* stored) {
  for (const ShardPosition& position : positions) {
    stored::Position* s = stored->Add();
    s->set_sequence(position.sequence.value());
    s->set_digest(position.digest);
  }
}

Positions Load(const google::protobuf::RepeatedPtrField<stored::Position>& stored) {
  Positions positions;
  positions.reserve(static_cast<size_t>(stored.size()));
  for (const stored::Position& s : stored) {
    positions.push_back({.sequence = Sequence(s.sequence()), .digest = s.digest()});
  }
  return positions;
}

void Store(const FilesFrom& from, stored::FilesFrom* stored) {
  stored->set_segment(from.segment);
  stored->set_snapshot(from.snapshot);
}

FilesFrom Load(const stored::FilesFrom& stored) {
  return {.segment = stored.segment(), .snapshot = stored.snapshot()};
}

absl::Status Damaged(std::string_view problem) {
  return absl::DataLossError(fmt::format("a manifest with {}", problem));
}

absl::Status Check(const stored::Manifest& stored) {
  if (stored.version() < 1 || stored.version() > kManifestVersion) {
    return absl::InvalidArgumentError(fmt::format(
        "a manifest of version {}; this reader knows 1 to {}", stored.version(), kManifestVersion));
  }
  if (stored.directory_id() == 0) return Damaged("no directory id");
  if (static_cast<size_t>(stored.histories_size()) > kMaxHistories) {
    return Damaged(fmt::format("{} histories", stored.histories_size()));
  }
  for (int i = 0; i < stored.histories_size(); ++i) {
    const stored::History& history = stored.histories(i);
    if (history.id() == 0 || history.id() == history.parent()) return Damaged("a bad history id");
    if (history.shard_count() == 0 || history.shard_count() > kMaxShards) {
      return Damaged(fmt::format("a history of {} shards", history.shard_count()));
    }
    if (i > 0 && (history.parent() != stored.histories(i - 1).id() ||
                  history.fork_size() != static_cast<int>(stored.histories(i - 1).shard_count()))) {
      return Damaged(
          fmt::format("a history {:016x} that does not follow the one before", history.id()));
    }
    if (history.fork_size() > kMaxShards || (history.parent() == 0) != (history.fork_size() == 0)) {
      return Damaged("a fork that does not fit its parent");
    }
  }
  if (stored.has_clean_stop() &&
      (stored.histories_size() == 0 ||
       stored.clean_stop().shard_size() !=
           static_cast<int>(stored.histories(stored.histories_size() - 1).shard_count()))) {
    return Damaged("a clean stop that does not fit its history");
  }
  if (stored.has_restart() && (stored.restart().segment() <= stored.first().segment() ||
                               stored.restart().snapshot() <= stored.first().snapshot())) {
    return Damaged("a full sync that began before the files that it is to replace");
  }
  return absl::OkStatus();
}

}  // namespace

const History* Manifest::Find(HistoryId id) const {
  const auto found = std::find_if(histories.begin(), histories.end(),
                                  [id](const History& history) { return history.id == id; });
  return found == histories.end() ? nullptr : &*found;
}

const Positions* Manifest::EndOf(HistoryId id) const {
  const History* history = Find(id);
  if (history == nullptr || history == &histories.back()) return nullptr;
  return &history[1].fork;
}

void Manifest::Add(History newest) {
  CHECK(newest.parent == (histories.empty() ? newest.parent : histories.back().id));
  if (histories.size() == kMaxHistories) histories.erase(histories.begin());
  histories.push_back(std::move(newest));
}

std::string EncodeManifest(const Manifest& manifest) {
  stored::Manifest stored;
  const bool replicas = manifest.follows || manifest.first != FilesFrom() || manifest.restart;
  stored.set_version(replicas ? kManifestVersion : 1);
  stored.set_directory_id(manifest.directory.value());
  for (const History& history : manifest.histories) {
    stored::History* s = stored.add_histories();
    s->set_id(history.id.value());
    s->set_shard_count(history.shard_count);
    s->set_born_ms(history.born_ms);
    s->set_parent(history.parent.value());
    Store(history.fork, s->mutable_fork());
  }
  if (manifest.clean_stop.has_value()) {
    Store(*manifest.clean_stop, stored.mutable_clean_stop()->mutable_shard());
  }
  stored.set_follows(manifest.follows);
  stored.set_node_id(manifest.node_id);
  if (manifest.first != FilesFrom()) Store(manifest.first, stored.mutable_first());
  if (manifest.restart) Store(*manifest.restart, stored.mutable_restart());
  // What cannot be read back is not written: the file that it would replace is good.
  CHECK(Check(stored).ok());
  return Seal(EnvelopeKind::kManifest, stored.SerializeAsString());
}

absl::StatusOr<Manifest> DecodeManifest(std::string_view file) {
  const absl::StatusOr<std::string_view> message = Unseal(EnvelopeKind::kManifest, file);
  if (!message.ok()) return message.status();
  stored::Manifest stored;
  if (!stored.ParseFromArray(message->data(), static_cast<int>(message->size()))) {
    return Damaged("a message that does not parse");
  }
  if (absl::Status s = Check(stored); !s.ok()) return s;
  Manifest manifest;
  manifest.directory = DirectoryId(stored.directory_id());
  for (const stored::History& s : stored.histories()) {
    manifest.histories.push_back({.id = HistoryId(s.id()),
                                  .shard_count = static_cast<uint16_t>(s.shard_count()),
                                  .born_ms = s.born_ms(),
                                  .parent = HistoryId(s.parent()),
                                  .fork = Load(s.fork())});
  }
  if (stored.has_clean_stop()) manifest.clean_stop = Load(stored.clean_stop().shard());
  manifest.follows = stored.follows();
  manifest.node_id = stored.node_id();
  manifest.first = Load(stored.first());
  if (stored.has_restart()) manifest.restart = Load(stored.restart());
  return manifest;
}

}  // namespace tidemark::wal
