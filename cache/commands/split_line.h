// A line of a test's table, cut into the words of a command.

#ifndef TIDEMARK_CACHE_COMMANDS_SPLIT_LINE_H_
#define TIDEMARK_CACHE_COMMANDS_SPLIT_LINE_H_

#include <string>
#include <string_view>
#include <vector>

namespace tidemark::cache {

using Words = std::vector<std::string>;

// Words are separated by spaces. "..." is one word, in which \xHH is a byte, \r and \n are the ends
// of lines, and \ before anything else is that.
Words SplitLine(std::string_view line);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_SPLIT_LINE_H_
