// Vectors of sequences to and from control messages.

#ifndef TIDEMARK_BASE_LINK_WIRE_VECTORS_H_
#define TIDEMARK_BASE_LINK_WIRE_VECTORS_H_

#include <cstdint>

#include "base/ids.h"
#include "google/protobuf/repeated_field.h"

namespace tidemark {

inline void ToWire(const Watermarks& marks, google::protobuf::RepeatedField<uint64_t>* field) {
  field->Clear();
  field->Reserve(static_cast<int>(marks.size()));
  for (const Sequence mark : marks) field->Add(mark.value());
}

inline Watermarks FromWire(const google::protobuf::RepeatedField<uint64_t>& field) {
  Watermarks marks;
  marks.reserve(static_cast<size_t>(field.size()));
  for (const uint64_t mark : field) marks.push_back(Sequence(mark));
  return marks;
}

// Whether every element of `marks` has reached that of `target`. Requires: equal sizes.
inline bool Covers(const Watermarks& marks, const Watermarks& target) {
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] < target[i]) return false;
  }
  return true;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_WIRE_VECTORS_H_
