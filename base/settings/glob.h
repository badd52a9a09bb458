// The patterns of CONFIG GET: * ? [abc] [^a-z] and \ to escape, in any case.

#ifndef TIDEMARK_BASE_SETTINGS_GLOB_H_
#define TIDEMARK_BASE_SETTINGS_GLOB_H_

#include <string_view>

namespace tidemark {

// At most pattern.size() * name.size() steps.
bool GlobMatchesIgnoringCase(std::string_view pattern, std::string_view name);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_GLOB_H_
