"""On which line of a TOML text each key stands: tomllib tells values only."""

import tomllib


def key_lines(text):
    """The first line, from 1, of each key and table of `text`, by its path.

    A path is a tuple of keys; the tables of an array of tables are numbered from 0: the port of the
    second of [[nodes]] is ("nodes", 1, "port"). `text` must be valid TOML.
    """
    lines = text.splitlines()
    found = {}
    table = ()
    tables_of = {}  # How many [[tables]] of each path there are so far.
    at = 0
    while at < len(lines):
        stripped = lines[at].strip()
        end = at + 1
        if stripped.startswith("["):
            table = _header_path(stripped, tables_of)
            found.setdefault(table, at + 1)
            if isinstance(table[-1], int):
                found.setdefault(table[:-1], at + 1)
        elif stripped and not stripped.startswith("#"):
            # A value may span lines; it ends where tomllib is content.
            while not _is_toml(lines[at:end]):
                end += 1
            for path in _paths(tomllib.loads("\n".join(lines[at:end]))):
                found.setdefault(table + path, at + 1)
        at = end
    return found


def _is_toml(lines):
    try:
        tomllib.loads("\n".join(lines))
        return True
    except tomllib.TOMLDecodeError:
        return False


def _header_path(header, tables_of):
    keys = []
    value = tomllib.loads(header)
    while value:
        ((key, value),) = value.items()
        keys.append(key)
        if isinstance(value, list):  # [[...]]: its last key is the array.
            path = _resolve(keys, tables_of)
            tables_of[path] = tables_of.get(path, 0) + 1
            return path + (tables_of[path] - 1,)
    return _resolve(keys, tables_of)


def _resolve(keys, tables_of):
    """The path that `keys` mean here: below an array of tables, its newest table."""
    path = ()
    for i, key in enumerate(keys):
        path += (key,)
        if path in tables_of and i + 1 < len(keys):
            path += (tables_of[path] - 1,)
    return path


def _paths(value, prefix=()):
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        yield prefix + (key,)
        yield from _paths(inner, prefix + (key,))
