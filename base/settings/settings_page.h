// The table of settings as people read it: --help, and docs/configuration.md.

#ifndef TIDEMARK_BASE_SETTINGS_SETTINGS_PAGE_H_
#define TIDEMARK_BASE_SETTINGS_SETTINGS_PAGE_H_

#include <string>

#include "base/settings/setting_spec.h"

namespace tidemark {

// What --help prints: the flags of `role`, section by section, at most 100 columns wide.
std::string HelpText(NodeRole role);

// docs/configuration.md, whole.
std::string ConfigurationPage();

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_SETTINGS_PAGE_H_
