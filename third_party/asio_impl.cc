// The one place where Asio's non-template code is compiled: every other file then builds much
// faster.
#include <asio/impl/src.hpp>
