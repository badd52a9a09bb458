// Text that a peer sent, made fit for our log: short, and without line breaks or control
// characters.

#ifndef TIDEMARK_REPLICATION_LINK_PEER_TEXT_H_
#define TIDEMARK_REPLICATION_LINK_PEER_TEXT_H_

#include <string>

#include "absl/strings/escaping.h"

namespace tidemark::replication {

inline std::string ForLog(const std::string& text) { return absl::CEscape(text.substr(0, 300)); }

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_PEER_TEXT_H_
