// ChangeStore is where tideexport puts lines, and where it remembers how far it came.
//
//   store.Open();
//   ... for each connection:  store.Rollback();        // Of lines that lead to no position.
//   store.Append(lines);
//   store.Keep(cursor);                                 // These lines end here.
//   store.Commit();                                     // Now it is safe to acknowledge them.
//
// With an output file every line is in it once, whatever breaks: the resume file says, in one
// piece with the position, how long the output was there, and Open() cuts what is behind. Lines on
// standard output cannot be taken back: those since the last Commit() come again after a crash.
//
// Threading: one thread. Ownership: owns the output file; nobody else may write to it.

#ifndef TIDEMARK_TOOLS_TIDEEXPORT_CHANGE_STORE_H_
#define TIDEMARK_TOOLS_TIDEEXPORT_CHANGE_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "wal/export/export_position.h"

namespace tidemark::tideexport {

class ChangeStore {
 public:
  struct Options {
    std::string output_file;  // Empty: standard output.
    std::string resume_file;  // Empty: none. An output file needs one.
  };
  explicit ChangeStore(Options options) : options_(std::move(options)) {}
  ~ChangeStore();
  ChangeStore(const ChangeStore&) = delete;
  ChangeStore& operator=(const ChangeStore&) = delete;

  // Goes back to what was committed last.
  //   InvalidArgument     the resume file is none, or belongs to an output file that is not named
  //   FailedPrecondition  the output file is shorter than it was: lines are gone
  absl::Status Open();

  // Errors of these are final: what is on disk is then unknown.
  absl::Status Append(std::string_view lines);
  absl::Status Commit();
  // Takes back, where that is possible, what was appended since Keep().
  absl::Status Rollback();

  void Keep(const wal::ExportPosition& position);
  // Of the last Keep(), or of the resume file.
  const std::optional<wal::ExportPosition>& position() const { return position_; }
  // Appended since the last Commit().
  uint64_t uncommitted_bytes() const { return bytes_ - committed_bytes_; }

 private:
  absl::Status Save();

  const Options options_;
  int output_ = 1;  // Standard output, or ours.
  uint64_t bytes_ = 0;
  uint64_t kept_bytes_ = 0;
  uint64_t committed_bytes_ = 0;
  std::optional<wal::ExportPosition> position_;
  std::optional<wal::ExportPosition> committed_;
};

}  // namespace tidemark::tideexport

#endif  // TIDEMARK_TOOLS_TIDEEXPORT_CHANGE_STORE_H_
