#!/bin/sh
# Runs the tests of consumers; a shell script because Bazel's own rules for Python want more of them
# than Debian has.
exec python3 "$@"
