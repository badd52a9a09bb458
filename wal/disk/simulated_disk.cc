#include "wal/disk/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "wal/disk/simulated_node.h"

namespace tidemark::wal {
namespace {

std::string Above(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

using NodeRef = std::shared_ptr<SimulatedNode>;

}  // namespace

struct SimulatedDisk::State {
  explicit State(uint64_t seed) : random(seed) {}

  mutable std::mutex mutex;
  std::mt19937_64 random;
  uint64_t life = 0;  // Crashes so far: what was opened in an earlier life is dead.
  uint64_t renames = 0;
  std::set<uint64_t> synced_renames;  // On the platter by the sync of one of their directories.
  const NodeRef root = SimulatedNode::NewDirectory();
  std::map<std::string, NodeRef> nodes = {{"/", root}};  // By path, as a reader sees them.

  uint64_t writes_until_failure = 0;  // 0: none is to come.
  uint64_t syncs_until_failure = 0;
  bool read_only = false;
  Cached cached = Cached::kAny;
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

  bool Kept(Unsynced unsynced) {
    return unsynced == Unsynced::kKeep || (unsynced == Unsynced::kAny && random() % 2 == 0);
  }

  // Everything that may be there after the crash, by whatever name; each once, in the order of the
  // names, so that a seed gives one result.
  void CollectNodes(const NodeRef& node, std::set<const SimulatedNode*>& seen,
                    std::vector<NodeRef>& all) const {
    if (!seen.insert(node.get()).second) return;
    all.push_back(node);
    for (const auto& [name, child] : node->names) CollectNodes(child, seen, all);
    for (const SimulatedNode::NameChange& change : node->unsynced) {
      if (change.node != nullptr) CollectNodes(change.node, seen, all);
    }
  }

  void Crash(Unsynced unsynced) {
    ++life;
    std::set<const SimulatedNode*> seen;
    std::vector<NodeRef> all;
    CollectNodes(root, seen, all);
    std::map<uint64_t, bool> renames_kept;
    for (const uint64_t rename : synced_renames) renames_kept[rename] = true;
    for (const NodeRef& node : all) {
      if (!node->directory) {
        if (unsynced == Unsynced::kKeep) {
          node->Kill();
        } else {
          node->LosePower([&] { return Kept(unsynced); });
        }
        continue;
      }
      for (const SimulatedNode::NameChange& change : node->unsynced) {
        bool kept = Kept(unsynced);
        // Journals keep a rename whole.
        if (change.rename != 0) kept = renames_kept.emplace(change.rename, kept).first->second;
        if (kept) node->KeepName(change);
      }
      node->unsynced.clear();
    }
    nodes = {{"/", root}};
    Reread("/", *root);
  }

  void Reread(const std::string& path, const SimulatedNode& directory) {
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
        node_->Write(offset, bytes.substr(0, std::min(some, room)));
      }
      return s;
    }
    state_->counts.written_bytes += bytes.size();
    node_->Write(offset, bytes);
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

  bool ReadAtIfCached(uint64_t offset, size_t bytes, char* out) override {
    const std::lock_guard lock(state_->mutex);
    if (!alive() || state_->cached == Cached::kNone) return false;
    if (state_->cached == Cached::kAny && state_->random() % 2 == 0) return false;
    const uint64_t size = node_->now.size();
    if (offset > size || bytes > size - offset) return false;
    std::memcpy(out, node_->now.data() + offset, bytes);
    return true;
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
      node_->LoseSync();
      return State::IoError("fdatasync", path_);
    }
    node_->Sync();
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t bytes) override {
    const std::lock_guard lock(state_->mutex);
    const uint64_t growth = std::max<uint64_t>(bytes, node_->now.size()) - node_->now.size();
    if (absl::Status s = Change("allocate", growth); !s.ok()) return s;
    if (growth > 0) node_->Resize(bytes);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t bytes) override {
    const std::lock_guard lock(state_->mutex);
    const absl::Status s = Change("set the length of", 0);
    if (s.ok()) node_->Resize(bytes);
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
    state_->SetName(path, std::make_shared<SimulatedNode>());
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
  state_->SetName(path, SimulatedNode::NewDirectory());
  return absl::OkStatus();
}

absl::Status SimulatedDisk::SyncDirectory(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const absl::StatusOr<NodeRef> node = state_->Find(path, "open directory");
  if (!node.ok()) return node.status();
  ++state_->counts.directory_syncs;
  if (State::Strikes(state_->syncs_until_failure)) return State::IoError("fsync directory", path);
  for (const SimulatedNode::NameChange& change : (*node)->unsynced) {
    (*node)->KeepName(change);
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
  if (!state_->nodes.contains(path)) state_->SetName(path, std::make_shared<SimulatedNode>());
  const NodeRef node = state_->nodes.at(path);
  if (node->locked) {
    return absl::FailedPreconditionError(fmt::format("{} is locked by process 1", path));
  }
  node->locked = true;
  node->Resize(0);
  node->Write(0, "1\n");
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

void SimulatedDisk::set_cached(Cached cached) {
  const std::lock_guard lock(state_->mutex);
  state_->cached = cached;
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
  if (!state_->nodes.contains(path)) state_->nodes[path] = std::make_shared<SimulatedNode>();
  node = state_->nodes.at(path);
  node->now = node->platter = contents;
  node->dirty.clear();
}

void SimulatedDisk::FlipBit(const std::string& path, uint64_t offset, int bit) {
  const std::lock_guard lock(state_->mutex);
  SimulatedNode& node = *state_->nodes.at(path);
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
