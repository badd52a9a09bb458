// RenamedFrame gives the same records under another history's name: below a fork a stream's frames
// may carry an ancestor's, where a reader or a segment knows one history only.
//
// Threading: any thread.

#ifndef TIDEMARK_BASE_FORMAT_RENAMED_FRAME_H_
#define TIDEMARK_BASE_FORMAT_RENAMED_FRAME_H_

#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark {

// Copies the frame. Requires: it is not compressed.
FrameRef RenamedFrame(const Frame& frame, HistoryId history);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_RENAMED_FRAME_H_
