#include "wal/disk/simulated_node.h"

#include <algorithm>
#include <cstring>

namespace tidemark::wal {
namespace {

constexpr uint64_t kSectorBytes = 512;

}  // namespace

std::shared_ptr<SimulatedNode> SimulatedNode::NewDirectory() {
  auto node = std::make_shared<SimulatedNode>();
  node->directory = true;
  return node;
}

void SimulatedNode::Write(uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  Resize(std::max<uint64_t>(now.size(), offset + bytes.size()));
  std::memcpy(now.data() + offset, bytes.data(), bytes.size());
  for (uint64_t s = offset / kSectorBytes; s <= (offset + bytes.size() - 1) / kSectorBytes; ++s) {
    dirty.insert(s);
    dropped.erase(s);
  }
}

void SimulatedNode::Resize(uint64_t bytes) {
  if (bytes == now.size()) return;
  // Where a shorter file grows again there are zeros, on the platter too.
  if (bytes < now.size()) {
    for (uint64_t s = bytes / kSectorBytes; s <= now.size() / kSectorBytes; ++s) dirty.insert(s);
  }
  now.resize(bytes, '\0');
  length_changed = true;
}

void SimulatedNode::CopySector(uint64_t sector) {
  const uint64_t at = sector * kSectorBytes;
  const uint64_t end = std::min<uint64_t>(at + kSectorBytes, platter.size());
  if (at >= end) return;
  const uint64_t written = std::clamp<uint64_t>(now.size(), at, end);
  if (written > at) std::memcpy(platter.data() + at, now.data() + at, written - at);
  std::memset(platter.data() + written, '\0', end - written);
}

void SimulatedNode::Sync() {
  platter.resize(now.size(), '\0');
  for (const uint64_t sector : dirty) CopySector(sector);
  dirty.clear();
  length_changed = false;
}

void SimulatedNode::LoseSync() {
  dropped.insert(dirty.begin(), dirty.end());
  dirty.clear();
}

void SimulatedNode::Kill() {
  platter = now;
  NoteClean();
}

void SimulatedNode::LosePower(absl::FunctionRef<bool()> kept) {
  if (length_changed && kept()) platter.resize(now.size(), '\0');
  dirty.merge(dropped);
  for (const uint64_t sector : dirty) {
    // Beyond the end there is nothing to be written.
    if (sector * kSectorBytes >= now.size() || !kept()) continue;
    CopySector(sector);
  }
  now = platter;
  NoteClean();
}

void SimulatedNode::NoteClean() {
  dirty.clear();
  dropped.clear();
  length_changed = false;
  locked = false;
}

void SimulatedNode::KeepName(const NameChange& change) {
  if (change.node == nullptr) {
    names.erase(change.name);
  } else {
    names[change.name] = change.node;
  }
}

}  // namespace tidemark::wal
