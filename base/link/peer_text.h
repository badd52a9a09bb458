// Text that a peer sent, made fit to be shown: short, and on one line.

#ifndef TIDEMARK_BASE_LINK_PEER_TEXT_H_
#define TIDEMARK_BASE_LINK_PEER_TEXT_H_

#include <string>

namespace tidemark {

inline std::string PeerText(const std::string& text) {
  std::string shown = text.substr(0, 300);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  }
  return shown;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_PEER_TEXT_H_
