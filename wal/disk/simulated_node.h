// SimulatedNode is a file or a directory of SimulatedDisk, whatever name leads to it: what readers
// see of it, and what of that is on the platter, where a crash finds it.
//
// A part of SimulatedDisk, whose lock it is under.

#ifndef TIDEMARK_WAL_DISK_SIMULATED_NODE_H_
#define TIDEMARK_WAL_DISK_SIMULATED_NODE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"

namespace tidemark::wal {

struct SimulatedNode {
  // A change of one name in a directory that no sync of the directory has covered.
  struct NameChange {
    std::string name;
    std::shared_ptr<SimulatedNode> node;  // Null: taken away.
    uint64_t rename = 0;  // Both halves of a rename share a number and happen together; 0: none.
  };

  static std::shared_ptr<SimulatedNode> NewDirectory();

  // --- A file ---

  void Write(uint64_t offset, std::string_view bytes);
  void Resize(uint64_t bytes);
  // All that readers see is on the platter from here on, but for what an earlier LoseSync() took.
  void Sync();
  // A sync that fails: the pages stay readable but are clean now, and the next sync passes them
  // over.
  void LoseSync();
  // The process is killed: the system's cache stays, and with it what a failed sync dropped.
  void Kill();
  // The power goes: what was written since the last sync is there or not, sector by sector and the
  // length by itself, as `kept` says each time.
  void LosePower(absl::FunctionRef<bool()> kept);

  // --- A directory ---

  // Brings one change of a name to the platter.
  void KeepName(const NameChange& change);

  bool directory = false;
  bool locked = false;

  // A file's.
  std::string now;             // What a reader sees.
  std::string platter;         // What the last sync left.
  std::set<uint64_t> dirty;    // Sectors written since, by number.
  std::set<uint64_t> dropped;  // Dirty when a sync failed: no later sync writes them.
  bool length_changed = false;

  // A directory's.
  std::map<std::string, std::shared_ptr<SimulatedNode>> names;  // On the platter.
  std::vector<NameChange> unsynced;                             // Oldest first.

 private:
  void CopySector(uint64_t sector);  // To the platter.
  void NoteClean();
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_SIMULATED_NODE_H_
