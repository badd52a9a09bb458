#include "wal/disk/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"

namespace tidemark::wal {
namespace {

constexpr uint64_t kSectorBytes = 512;

std::string Above(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

struct Node;
using NodeRef = std::shared_ptr<Node>;

// A change of one name in a directory that no sync of the directory has covered.
struct NameChange {
  std::string name;
  NodeRef node;         // Null: taken away.
  uint64_t rename = 0;  // Both halves of a rename share a number and happen together; 0: none.
};

// A file or a directory, whatever name leads to it.
struct Node {
  bool directory = false;
  bool locked = false;

  // A file's.
  std::string now;             // What a reader sees.
  std::string platter;         // What the last sync left.
  std::set<uint64_t> dirty;    // Sectors written since, by number.
  std::set<uint64_t> dropped;  // Dirty when a sync failed: no later sync writes them.
  bool length_changed = false;

  // A directory's.
  std::map<std::string, NodeRef> names;  // On the platter.
  std::vector<NameChange> unsynced;      // Oldest first.
};

NodeRef NewDirectory() {
  auto node = std::make_shared<Node>();
  node->directory = true;
  return node;
}

}  // namespace

struct SimulatedDisk::State {
  explicit State(uint64_t seed) : random(seed) {}

  mutable std::mutex mutex;
  std::mt19937_64 random;
  uint64_t life = 0;  // Crashes so far: what was opened in an earlier life is dead.
  uint64_t renames = 0;
  std::set<uint64_t> synced_renames;  // On the platter by the sync of one of their directories.
  const NodeRef root = NewDirectory();
  std::map<std::string, NodeRef> nodes = {{"/", root}};  // By path, as a reader sees them.

  uint64_t writes_until_failure = 0;  // 0: none is to come.
  uint64_t syncs_until_failure = 0;
  bool read_only = false;
  uint64_t capacity_bytes = std::numeric_limits<uint64_t>::max();
  std::function<void(const std::string&)> sync_hook;
  Counts counts;

  absl::StatusOr<NodeRef> Find(const std::string& path, std::string_view what) const {
    const auto found = nodes.find(path);
    if (found != nodes.end()) return found->second;
    return absl::NotFoundError(fmt::format("{} {}: No such file or directory", what, path));
  }
  absl::Status MayChange(std::string_view what, const std::string& path) const {
    if (!read_only) return absl::OkStatus();
    return absl::PermissionDeniedError(fmt::format("{} {}: Read-only file system", what, path));
  }
  // Whether the failure that was asked for is now.
  static bool Strikes(uint64_t& until_failure) { return until_failure > 0 && --until_failure == 0; }
  static absl::Status IoError(std::string_view what, const std::string& path) {
    return absl::InternalError(fmt::format("{} {}: Input/output error", what, path));
  }
  uint64_t UsedBytes() const {
    uint64_t used = 0;
    for (const auto& [path, node] : nodes) used += node->now.size();
    return used;
  }
  bool IsDirectory(const std::string& path) const {
    const auto found = nodes.find(path);
    return found != nodes.end() && found->second->directory;
  }
  absl::Status MayGrow(uint64_t bytes, std::string_view what, const std::string& path) const {
    const uint64_t used = UsedBytes();
    if (bytes == 0 || (used <= capacity_bytes && bytes <= capacity_bytes - used)) {
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(fmt::format("{} {}: No space left on device", what, path));
  }
  void SetName(const std::string& path, NodeRef node, uint64_t rename = 0) {
    nodes.at(Above(path))
        ->unsynced.push_back(
            {.name = path.substr(path.rfind('/') + 1), .node = node, .rename = rename});
    if (node == nullptr) {
      nodes.erase(path);
    } else {
      nodes[path] = std::move(node);
    }
  }

  static void Store(Node& node, uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    Resize(node, std::max<uint64_t>(node.now.size(), offset + bytes.size()));
    std::memcpy(node.now.data() + offset, bytes.data(), bytes.size());
    for (uint64_t s = offset / kSectorBytes; s <= (offset + bytes.size() - 1) / kSectorBytes; ++s) {
      node.dirty.insert(s);
      node.dropped.erase(s);
    }
  }
  static void Resize(Node& node, uint64_t bytes) {
    if (bytes == node.now.size()) return;
    // Where a shorter file grows again there are zeros, on the platter too.
    if (bytes < node.now.size()) {
      for (uint64_t s = bytes / kSectorBytes; s <= node.now.size() / kSectorBytes; ++s) {
        node.dirty.insert(s);
      }
    }
    node.now.resize(bytes, '\0');
    node.length_changed = true;
  }
  static void CopySector(const std::string& from, uint64_t sector, std::string& to) {
    const uint64_t at = sector * kSectorBytes;
    for (uint64_t i = at; i < std::min<uint64_t>(at + kSectorBytes, to.size()); ++i) {
      to[i] = i < from.size() ? from[i] : '\0';
    }
  }
  static void SyncNode(Node& node) {
    node.platter.resize(node.now.size(), '\0');
    for (const uint64_t sector : node.dirty) CopySector(node.now, sector, node.platter);
    node.dirty.clear();
    node.length_changed = false;
  }

  bool Kept(Unsynced unsynced) {
    return unsynced == Unsynced::kKeep || (unsynced == Unsynced::kAny && random() % 2 == 0);
  }
  void CrashFile(Node& node, Unsynced unsynced) {
    if (unsynced == Unsynced::kKeep) {
      // A kill leaves the system's cache alone, and with it what a failed sync dropped.
      node.platter = node.now;
    } else {
      if (node.length_changed && Kept(unsynced)) node.platter.resize(node.now.size(), '\0');
      node.dirty.merge(node.dropped);
      for (const uint64_t sector : node.dirty) {
        // Beyond the end there is nothing to be written.
        if (sector * kSectorBytes >= node.now.size() || !Kept(unsynced)) continue;
        CopySector(node.now, sector, node.platter);
      }
      node.now = node.platter;
    }
    node.dirty.clear();
    node.dropped.clear();
    node.length_changed = false;
    node.locked = false;
  }

  // Everything that may be there after the crash, by whatever name; each once, in the order of the
  // names, so that a seed gives one result.
  void CollectNodes(const NodeRef& node, std::set<const Node*>& seen,
                    std::vector<NodeRef>& all) const {
    if (!seen.insert(node.get()).second) return;
    all.push_back(node);
    for (const auto& [name, child] : node->names) CollectNodes(child, seen, all);
    for (const NameChange& change : node->unsynced) {
      if (change.node != nullptr) CollectNodes(change.node, seen, all);
    }
  }

  void Crash(Unsynced unsynced) {
    ++life;
    std::set<const Node*> seen;
    std::vector<NodeRef> all;
    CollectNodes(root, seen, all);
    std::map<uint64_t, bool> renames_kept;
    for (const uint64_t rename : synced_renames) renames_kept[rename] = true;
    for (const NodeRef& node : all) {
      if (!node->directory) {
        CrashFile(*node, unsynced);
        continue;
      }
      for (const NameChange& change : node->unsynced) {
        bool kept = Kept(unsynced);
        // Journals keep a rename whole.
        if (change.rename != 0) kept = renames_kept.emplace(change.rename, kept).first->second;
        if (!kept) continue;
        if (change.node == nullptr) {
          node->names.erase(change.name);
        } else {
          node->names[change.name] = change.node;
        }
      }
      node->unsynced.clear();
    }
    nodes = {{"/", root}};
    Reread("/", *root);
  }

  void Reread(const std::string& path, const Node& directory) {
    for (const auto& [name, node] : directory.names) {
      const std::string child = path == "/" ? path + name : fmt::format("{}/{}", path, name);
      nodes[child] = node;
      if (node->directory) Reread(child, *node);
    }
  }
};

class SimulatedDisk::OpenedFile final : public File {
 public:
  OpenedFile(std::shared_ptr<State> state, NodeRef node, std::string path, bool writable)
      : state_(std::move(state)),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        life_(state_->life) {}

  using File::WriteAt;
  absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override {
    const std::lock_guard lock(state_->mutex);
    std::string bytes;
    for (const std::string_view piece : pieces) bytes.append(piece);
    const uint64_t end = bytes.empty() ? 0 : offset + bytes.size();
    const uint64_t growth = std::max<uint64_t>(end, node_->now.size()) - node_->now.size();
    if (absl::Status s = Change("write", growth); !s.ok()) {
      // Some of it, from the front, as write(2) works: what fits, or up to where the disk broke.
      if (alive() && writable_ && !state_->read_only && !bytes.empty()) {
        const uint64_t some = state_->random() % bytes.size();
        const uint64_t room = node_->now.size() > offset ? node_->now.size() - offset : 0;
        State::Store(*node_, offset, bytes.substr(0, std::min(some, room)));
      }
      return s;
    }
    state_->counts.written_bytes += bytes.size();
    State::Store(*node_, offset, bytes);
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override {
    const std::lock_guard lock(state_->mutex);
    if (!alive()) return Dead("read");
    if (offset >= node_->now.size()) return size_t{0};
    const size_t read = std::min<uint64_t>(bytes, node_->now.size() - offset);
    std::memcpy(out, node_->now.data() + offset, read);
    return read;
  }

  absl::Status Sync() override {
    std::function<void(const std::string&)> hook;
    {
      const std::lock_guard lock(state_->mutex);
      if (!alive()) return Dead("fdatasync");
      hook = state_->sync_hook;
    }
    if (hook) hook(path_);
    const std::lock_guard lock(state_->mutex);
    if (!alive()) return Dead("fdatasync");
    ++state_->counts.syncs;
    if (State::Strikes(state_->syncs_until_failure)) {
      // The pages stay readable but are clean now: the next sync passes them over.
      node_->dropped.insert(node_->dirty.begin(), node_->dirty.end());
      node_->dirty.clear();
      return State::IoError("fdatasync", path_);
    }
    State::SyncNode(*node_);
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t bytes) override {
    const std::lock_guard lock(state_->mutex);
    const uint64_t growth = std::max<uint64_t>(bytes, node_->now.size()) - node_->now.size();
    if (absl::Status s = Change("allocate", growth); !s.ok()) return s;
    if (growth > 0) State::Resize(*node_, bytes);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t bytes) override {
    const std::lock_guard lock(state_->mutex);
    const absl::Status s = Change("set the length of", 0);
    if (s.ok()) State::Resize(*node_, bytes);
    return s;
  }

  absl::StatusOr<uint64_t> Size() override {
    const std::lock_guard lock(state_->mutex);
    if (!alive()) return Dead("stat");
    return node_->now.size();
  }

 private:
  bool alive() const { return life_ == state_->life; }
  absl::Status Dead(std::string_view what) const {
    return absl::InternalError(fmt::format("{} {}: the disk has crashed since", what, path_));
  }
  absl::Status Change(std::string_view what, uint64_t growth) {
    if (!alive()) return Dead(what);
    if (absl::Status s = state_->MayChange(what, path_); !s.ok()) return s;
    if (!writable_) {
      return absl::InternalError(fmt::format("{} {}: Bad file descriptor", what, path_));
    }
    ++state_->counts.writes;
    if (State::Strikes(state_->writes_until_failure)) return State::IoError(what, path_);
    return state_->MayGrow(growth, what, path_);
  }

  const std::shared_ptr<State> state_;
  const NodeRef node_;
  const std::string path_;
  const bool writable_;
  const uint64_t life_;
};

class SimulatedDisk::HeldLock final : public DirectoryLock {
 public:
  HeldLock(std::shared_ptr<State> state, NodeRef node)
      : state_(std::move(state)), node_(std::move(node)), life_(state_->life) {}
  ~HeldLock() override {
    const std::lock_guard lock(state_->mutex);
    if (life_ == state_->life) node_->locked = false;
  }

 private:
  const std::shared_ptr<State> state_;
  const NodeRef node_;
  const uint64_t life_;
};

SimulatedDisk::SimulatedDisk(uint64_t seed) : state_(std::make_shared<State>(seed)) {}

SimulatedDisk::~SimulatedDisk() = default;

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::OpenFile(const std::string& path, Open how) {
  const std::lock_guard lock(state_->mutex);
  if (how != Open::kRead) {
    if (absl::Status s = state_->MayChange("open", path); !s.ok()) return s;
  }
  if (how == Open::kCreate) {
    if (state_->nodes.contains(path)) {
      return absl::AlreadyExistsError(fmt::format("open {}: File exists", path));
    }
    if (!state_->IsDirectory(Above(path))) {
      return absl::NotFoundError(fmt::format("open {}: No such file or directory", path));
    }
    state_->SetName(path, std::make_shared<Node>());
  }
  absl::StatusOr<NodeRef> node = state_->Find(path, "open");
  if (!node.ok()) return node.status();
  return std::make_unique<OpenedFile>(state_, *std::move(node), path, how != Open::kRead);
}

absl::Status SimulatedDisk::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  if (absl::Status s = state_->MayChange("rename", from); !s.ok()) return s;
  const absl::StatusOr<NodeRef> node = state_->Find(from, "rename");
  if (!node.ok()) return node.status();
  if (!state_->IsDirectory(Above(to))) {
    return absl::NotFoundError(fmt::format("rename {} to {}: No such file or directory", from, to));
  }
  const auto target = state_->nodes.find(to);
  if (target != state_->nodes.end() && ((*node)->directory || target->second->directory)) {
    return absl::AlreadyExistsError(fmt::format("rename {} to {}: File exists", from, to));
  }
  const uint64_t rename = ++state_->renames;
  state_->SetName(from, nullptr, rename);
  state_->SetName(to, *node, rename);
  if ((*node)->directory) {
    // What is in it moves along; its own names are as synced or unsynced as they were.
    std::map<std::string, NodeRef> moved;
    for (auto it = state_->nodes.lower_bound(from + "/");
         it != state_->nodes.end() && it->first.starts_with(from + "/");
         it = state_->nodes.erase(it)) {
      moved[to + it->first.substr(from.size())] = it->second;
    }
    state_->nodes.merge(moved);
  }
  return absl::OkStatus();
}

absl::Status SimulatedDisk::Remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (absl::Status s = state_->MayChange("remove", path); !s.ok()) return s;
  const absl::StatusOr<NodeRef> node = state_->Find(path, "remove");
  if (!node.ok()) return node.status();
  if ((*node)->directory) {
    return absl::InternalError(fmt::format("remove {}: Is a directory", path));
  }
  state_->SetName(path, nullptr);
  return absl::OkStatus();
}

absl::Status SimulatedDisk::RemoveTree(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->nodes.find(path);
  if (found == state_->nodes.end()) return absl::OkStatus();
  if (absl::Status s = state_->MayChange("remove all of", path); !s.ok()) return s;
  std::vector<std::string> below;
  for (auto it = state_->nodes.lower_bound(path + "/");
       it != state_->nodes.end() && it->first.starts_with(path + "/"); ++it) {
    below.push_back(it->first);
  }
  // What is in a directory goes before it does, each a change of its own that a crash may undo.
  for (auto name = below.rbegin(); name != below.rend(); ++name) state_->SetName(*name, nullptr);
  state_->SetName(path, nullptr);
  return absl::OkStatus();
}

absl::Status SimulatedDisk::CreateDirectory(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (state_->IsDirectory(path)) return absl::OkStatus();
  if (absl::Status s = state_->MayChange("make directory", path); !s.ok()) return s;
  if (state_->nodes.contains(path)) {
    return absl::AlreadyExistsError(fmt::format("make directory {}: File exists", path));
  }
  if (!state_->IsDirectory(Above(path))) {
    return absl::NotFoundError(fmt::format("make directory {}: No such file or directory", path));
  }
  state_->SetName(path, NewDirectory());
  return absl::OkStatus();
}

absl::Status SimulatedDisk::SyncDirectory(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const absl::StatusOr<NodeRef> node = state_->Find(path, "open directory");
  if (!node.ok()) return node.status();
  ++state_->counts.directory_syncs;
  if (State::Strikes(state_->syncs_until_failure)) return State::IoError("fsync directory", path);
  for (NameChange& change : (*node)->unsynced) {
    if (change.node == nullptr) {
      (*node)->names.erase(change.name);
    } else {
      (*node)->names[change.name] = change.node;
    }
    // The other half of a rename from elsewhere goes with this one.
    if (change.rename != 0) state_->synced_renames.insert(change.rename);
  }
  (*node)->unsynced.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimulatedDisk::List(const std::string& directory) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->IsDirectory(directory)) {
    return absl::NotFoundError(fmt::format("list {}: No such file or directory", directory));
  }
  const std::string prefix = directory == "/" ? "/" : directory + "/";
  std::vector<std::string> names;
  for (const auto& [path, node] : state_->nodes) {
    if (path.size() > prefix.size() && path.starts_with(prefix) &&
        path.find('/', prefix.size()) == path.npos) {
      names.push_back(path.substr(prefix.size()));
    }
  }
  return names;
}

absl::StatusOr<std::unique_ptr<DirectoryLock>> SimulatedDisk::Lock(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (absl::Status s = state_->MayChange("open", path); !s.ok()) return s;
  if (!state_->IsDirectory(Above(path))) {
    return absl::NotFoundError(fmt::format("open {}: No such file or directory", path));
  }
  if (!state_->nodes.contains(path)) state_->SetName(path, std::make_shared<Node>());
  const NodeRef node = state_->nodes.at(path);
  if (node->locked) {
    return absl::FailedPreconditionError(fmt::format("{} is locked by process 1", path));
  }
  node->locked = true;
  State::Resize(*node, 0);
  State::Store(*node, 0, "1\n");
  return std::make_unique<HeldLock>(state_, node);
}

absl::StatusOr<uint64_t> SimulatedDisk::FreeBytes(const std::string& directory) {
  const std::lock_guard lock(state_->mutex);
  if (absl::StatusOr<NodeRef> node = state_->Find(directory, "statvfs"); !node.ok()) {
    return node.status();
  }
  const uint64_t used = state_->UsedBytes();
  return state_->capacity_bytes - std::min(used, state_->capacity_bytes);
}

void SimulatedDisk::Crash(Unsynced unsynced) {
  const std::lock_guard lock(state_->mutex);
  state_->Crash(unsynced);
}

void SimulatedDisk::FailWrite(uint64_t nth) {
  const std::lock_guard lock(state_->mutex);
  state_->writes_until_failure = nth;
}

void SimulatedDisk::FailSync(uint64_t nth) {
  const std::lock_guard lock(state_->mutex);
  state_->syncs_until_failure = nth;
}

void SimulatedDisk::set_read_only(bool read_only) {
  const std::lock_guard lock(state_->mutex);
  state_->read_only = read_only;
}

void SimulatedDisk::set_capacity_bytes(uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->capacity_bytes = bytes;
}

void SimulatedDisk::set_sync_hook(std::function<void(const std::string& path)> hook) {
  const std::lock_guard lock(state_->mutex);
  state_->sync_hook = std::move(hook);
}

absl::StatusOr<std::string> SimulatedDisk::Contents(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const absl::StatusOr<NodeRef> node = state_->Find(path, "open");
  if (!node.ok()) return node.status();
  return (*node)->now;
}

void SimulatedDisk::SetContents(const std::string& path, std::string_view contents) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = path.substr(path.rfind('/') + 1);
  NodeRef& node = state_->nodes.at(Above(path))->names[name];
  if (!state_->nodes.contains(path)) state_->nodes[path] = std::make_shared<Node>();
  node = state_->nodes.at(path);
  node->now = node->platter = contents;
  node->dirty.clear();
}

void SimulatedDisk::FlipBit(const std::string& path, uint64_t offset, int bit) {
  const std::lock_guard lock(state_->mutex);
  Node& node = *state_->nodes.at(path);
  CHECK(offset < node.now.size() && bit >= 0 && bit < 8);
  const auto flipped = static_cast<char>(node.now[offset] ^ (1 << bit));
  node.now[offset] = flipped;
  if (offset < node.platter.size()) node.platter[offset] = flipped;
}

SimulatedDisk::Counts SimulatedDisk::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace tidemark::wal
