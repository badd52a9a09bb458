#include "net/resp_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace tidemark::net {

void RespWriter::Error(std::string_view text) {
  if (text.find_first_of("\r\n") == std::string_view::npos) return Line('-', text);
  std::string one_line(text);
  std::replace_if(
      one_line.begin(), one_line.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  Line('-', one_line);
}

void RespWriter::Double(double value) {
  char text[40];
  size_t size;
  if (std::isinf(value)) {
    // Printed by hand: not every C library agrees on the name.
    size = static_cast<size_t>(std::snprintf(text, sizeof(text), value > 0 ? "inf" : "-inf"));
  } else {
    size = static_cast<size_t>(std::snprintf(text, sizeof(text), "%.17g", value));
  }
  if (!resp3()) return Bulk({text, size});
  Line(',', {text, size});
}

void RespWriter::Verbatim(std::string_view format, std::string_view text) {
  if (!resp3()) return Bulk(text);
  LongHeader('=', text.size() + 4);
  Raw(format.substr(0, 3));
  Raw(":");
  Raw(text);
  Raw("\r\n");
}

void RespWriter::Line(char type, std::string_view text) {
  Raw({&type, 1});
  Raw(text);
  Raw("\r\n");
}

void RespWriter::LongBulk(std::string_view bytes) {
  LongHeader('$', bytes.size());
  output_.Append(bytes);
  Raw("\r\n");
}

}  // namespace tidemark::net
