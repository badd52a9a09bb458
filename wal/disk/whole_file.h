// Small files, read and replaced whole.

#ifndef TIDEMARK_WAL_DISK_WHOLE_FILE_H_
#define TIDEMARK_WAL_DISK_WHOLE_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/disk.h"

namespace tidemark::wal {

// What a temporary file adds to the name it is for. Whatever ends so may be deleted by the process
// that holds the directory's lock.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

// The directory that holds the name `path`; "." for a bare name.
std::string DirectoryOf(const std::string& path);

// ResourceExhausted: the file holds more than `max_bytes`.
absl::StatusOr<std::string> ReadWholeFile(Disk& disk, const std::string& path, size_t max_bytes);

// Writes `path`.tmp, syncs it, renames it to `path` and syncs the directory. A crash leaves the old
// contents or the new; OK means that the new are on disk. After an error either may be there.
// Requires: one caller at a time for a path.
absl::Status WriteFileAtomically(Disk& disk, const std::string& path, std::string_view contents);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_WHOLE_FILE_H_
