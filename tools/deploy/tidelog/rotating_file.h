// RotatingFile appends to PATH and renames it at a size: PATH.1 is the one before, PATH.2 older. Of
// these so many are kept, and no more, so that what a process says takes a bounded part of a disk.
//
// A line is not split between two files unless it comes in pieces or is longer than a file may be.
// What cannot be written, on a full disk for instance, is dropped and counted; once writing goes
// again, a line says how much is missing. A log that waited for room would make its process wait.
//
// Threading: one thread. Ownership: owns the file descriptor.

#ifndef TIDEMARK_TOOLS_DEPLOY_TIDELOG_ROTATING_FILE_H_
#define TIDEMARK_TOOLS_DEPLOY_TIDELOG_ROTATING_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tidemark::tidelog {

class RotatingFile {
 public:
  struct Options {
    std::string path;
    int64_t max_bytes = 16 << 20;  // Of one file. At least 1.
    int kept_files = 4;            // Besides PATH itself. At least 1.
  };

  explicit RotatingFile(Options options) : options_(std::move(options)) {}
  ~RotatingFile() { Close(); }
  RotatingFile(const RotatingFile&) = delete;
  RotatingFile& operator=(const RotatingFile&) = delete;

  // Opens PATH to append. An error names it.
  absl::Status Open();

  // Never fails; see dropped_bytes().
  void Write(std::string_view bytes);

  int64_t dropped_bytes() const { return dropped_bytes_; }  // In all.

 private:
  // How much of `bytes`, which do not fit, still goes into the present file.
  size_t PartThatFits(std::string_view bytes) const;
  void Append(std::string_view bytes);
  bool AppendAll(std::string_view bytes);
  void Rotate();
  void Close();

  const Options options_;
  int fd_ = -1;  // -1: not open; Append tries again.
  int64_t size_bytes_ = 0;
  int64_t dropped_bytes_ = 0;
  int64_t reported_dropped_bytes_ = 0;  // What the file itself has been told of.
};

}  // namespace tidemark::tidelog

#endif  // TIDEMARK_TOOLS_DEPLOY_TIDELOG_ROTATING_FILE_H_
