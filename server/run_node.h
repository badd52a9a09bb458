// The main program of a node: settings, signals, the ready line, exit statuses.

#ifndef TIDEMARK_SERVER_RUN_NODE_H_
#define TIDEMARK_SERVER_RUN_NODE_H_

#include "base/settings/setting_spec.h"
#include "wal/disk/disk.h"
#include "wal/disk/posix_disk.h"

namespace tidemark::server {

// Runs a node until SIGTERM, SIGINT or SHUTDOWN. Returns the process's exit status: 0 after a clean
// stop, 64 (EX_USAGE) for bad flags or settings, 1 for anything else; whatever is not 0 has printed
// one line that says why. Borrows the disk for its data directory.
int RunNode(NodeRole role, int argc, char** argv, wal::Disk& disk = wal::PosixDisk::Get());

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RUN_NODE_H_
