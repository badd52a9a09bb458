// tidectl's commands on a data directory: they print to stdout, and problems to stderr.
//
// Threading: one thread; blocks on the disk and, for a backup, on the node.

#ifndef TIDEMARK_TOOLS_TIDECTL_OFFLINE_COMMANDS_H_
#define TIDEMARK_TOOLS_TIDECTL_OFFLINE_COMMANDS_H_

#include "tools/tidectl/offline_arguments.h"
#include "wal/disk/disk.h"

namespace tidemark::tidectl {

// The exit status: 0, or 1 if something is damaged or could not be done.
int RunOffline(wal::Disk& disk, const OfflineArguments& arguments);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_OFFLINE_COMMANDS_H_
