#!/bin/sh
# Runs the tests of a Python file; a shell script because Bazel's own rules for Python want more of them
# than Debian has. -B: the tree may be read-only.
exec python3 -B "$@"
