// Prints docs/configuration.md.

#include <cstdio>

#include "base/settings/settings_page.h"

int main() { std::fputs(tidemark::ConfigurationPage().c_str(), stdout); }
