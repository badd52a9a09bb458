#!/bin/sh
# The example prints exactly what README shows.
set -eu
expected='SET greeting hello -> OK
GET greeting -> "hello"
MSET red 1 green 2 blue 3 -> OK
MGET red green blue grey -> ["1", "2", "3", (nil)]
INCR greeting -> (error) ERR value is not an integer or out of range
INCR visits -> (integer) 1'
actual=$("$1")
[ "$actual" = "$expected" ] || { printf 'expected:\n%s\nactual:\n%s\n' "$expected" "$actual"; exit 1; }
