"""What a value of the cluster file must be.

A check takes a value and gives it back, perhaps in another form, or raises ValueError with what
would be right, to be read after "must be ".
"""

import os
import re

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HOST = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:_-]*|::[0-9A-Fa-f:.]*")
# Keys of a node; as settings they would contradict it.
RESERVED_SETTINGS = ("port", "replication_port", "data_dir", "primary", "config")


def name(value):
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            "lower-case letters, digits, '-' and '_', at most 32, a letter or digit first"
        )
    return value


def text(value):
    if not isinstance(value, str) or not value or any(ord(c) < 32 for c in value):
        raise ValueError("a string on one line that is not empty")
    return value


def host(value):
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ValueError("a host name or an address, without a port")
    return value


def ssh(value):
    # ssh would read a leading '-' as an option, and options can run commands.
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Za-z_][0-9A-Za-z_.@:-]*", value):
        raise ValueError("what ssh is given: user@machine, or a name of ~/.ssh/config")
    return value


def absolute_path(value):
    if not isinstance(value, str) or not value.startswith("/") or any(ord(c) < 32 for c in value):
        raise ValueError("an absolute path")
    return os.path.normpath(value)


def one_of(*choices):
    def check(value):
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return value

    return check


def number(least, most):
    def check(value):
        # bool is an int to Python, not to whoever wrote `port = true`.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return check


port = number(1, 65535)


def setting(key, value):
    """One line of a table of settings; `key` is its name."""
    if key in RESERVED_SETTINGS:
        raise ValueError("a key of the node, not one of its settings")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
        raise ValueError("named as docs/configuration.md does: lower-case letters, digits and '_'")
    if not isinstance(value, (str, int, bool)):
        raise ValueError("a string, a whole number, true or false")
    return value
