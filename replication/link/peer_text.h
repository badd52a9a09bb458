// Text that a peer sent, made fit to be shown: short, and on one line.

#ifndef TIDEMARK_REPLICATION_LINK_PEER_TEXT_H_
#define TIDEMARK_REPLICATION_LINK_PEER_TEXT_H_

#include <string>

namespace tidemark::replication {

inline std::string PeerText(const std::string& text) {
  std::string shown = text.substr(0, 300);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  }
  return shown;
}

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_PEER_TEXT_H_
