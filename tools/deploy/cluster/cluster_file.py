"""Reads a cluster file, and adds nodes to it.

docs/deployment.md lists its keys; the tables below are that list.
"""

import functools
import ipaddress
import os
import tempfile
import tomllib

from . import checks
from .failures import UsageError
from .model import ROLES, Cluster, Node, Settings
from .settings_file import toml_value
from .toml_places import key_lines

_TIMEOUT_S = checks.number(1, 86400)
_CLUSTER_KEYS = {
    "name": checks.name,
    "package": checks.text,
    "state_dir": checks.absolute_path,
    "log_bytes": checks.number(4096, 1 << 30),
    "log_files": checks.number(1, 100),
    "ready_timeout_s": _TIMEOUT_S,
    "stop_timeout_s": _TIMEOUT_S,
    "caught_up_timeout_s": _TIMEOUT_S,
}
_NODE_KEYS = {
    "name": checks.name,
    "role": checks.one_of(*ROLES),
    "host": checks.host,
    "ssh": checks.ssh,
    "port": checks.port,
    "replication_port": checks.port,
    "data_dir": checks.absolute_path,
}
_SETTINGS_TABLES = ("settings", "primary_settings", "replica_settings")
_DEFAULT_REPLICATION_PORT = 7631
_MAX_FILE_BYTES = 1 << 20
_MAX_NODES = 256


def read(path):
    """The cluster of the file `path`; UsageError names the file, the line and the key."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise UsageError(f"{path}: longer than {_MAX_FILE_BYTES} bytes")
    try:
        return parse(content.decode(), path)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8") from error


def parse(text, path):
    """The cluster that `text` describes; `path` is for messages, and where `package` begins."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    return _Reader(path, key_lines(text)).cluster(values)


def add_node(cluster, values):
    """Appends a node to the file of `cluster`, and gives the cluster that the file now describes.

    `values` are keys of [[nodes]]. The file is replaced whole, and only if it becomes a right one.
    """
    with open(cluster.path, encoding="utf-8") as file:
        text = file.read()
    if not text.endswith("\n"):
        text += "\n"
    text += "\n[[nodes]]\n"
    text += "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())
    changed = parse(text, cluster.path)
    folder = os.path.dirname(os.path.abspath(cluster.path))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, os.stat(cluster.path).st_mode & 0o777)
    os.replace(file.name, cluster.path)
    return changed


class _Reader:
    def __init__(self, path, lines):
        self.path = path
        self.lines = lines

    def fail(self, place, what):
        """`place` is a key's path; one that is missing is named at its table's line."""
        above = (place[:n] for n in range(len(place), 0, -1))
        line = next((self.lines[path] for path in above if path in self.lines), 1)
        key = ".".join(f"{part}" if isinstance(part, str) else f"{part + 1}" for part in place)
        raise UsageError(f"{self.path}:{line}: {key}: {what}")

    def cluster(self, values):
        known = ("cluster", "nodes") + _SETTINGS_TABLES
        for key in values:
            if key not in known:
                self.fail((key,), "not a key; there are: " + ", ".join(known))
        table = values.get("cluster", {})
        keys = self.keys(table, ("cluster",), _CLUSTER_KEYS, ("name", "package"))
        tables = values.get("nodes", [])
        if not isinstance(tables, list) or not tables:
            self.fail(("nodes",), "at least one [[nodes]] is needed")
        if len(tables) > _MAX_NODES:
            self.fail(("nodes",), f"more than {_MAX_NODES}")
        nodes = [self.node(table, ("nodes", i)) for i, table in enumerate(tables)]
        folder = os.path.dirname(os.path.abspath(self.path))
        keys["package"] = os.path.normpath(os.path.join(folder, keys["package"]))
        cluster = Cluster(
            path=self.path, nodes=tuple(nodes), settings=self.settings(values, ()), **keys
        )
        self.check_roles(nodes)
        self.check_conflicts(nodes)
        self.check_reachable(cluster)
        return cluster

    def node(self, table, place):
        keys = self.keys(table, place, _NODE_KEYS, ("name", "role", "port"), _SETTINGS_TABLES)
        if keys["role"] == "primary":
            keys.setdefault("replication_port", _DEFAULT_REPLICATION_PORT)
        if keys.get("replication_port") == keys["port"]:
            self.fail(place + ("replication_port",), "must be another port than port")
        return Node(settings=self.settings(table, place), **keys)

    def keys(self, table, place, known, required, others=()):
        if not isinstance(table, dict):
            self.fail(place, "must be a table")
        for key in table:
            if key not in known and key not in others:
                self.fail(place + (key,), "not a key; there are: " + ", ".join((*known, *others)))
        for key in required:
            if key not in table:
                self.fail(place + (key,), "is missing")
        return {
            key: self.checked(place + (key,), check, table[key])
            for key, check in known.items()
            if key in table
        }

    def settings(self, tables, place):
        found = []
        for name in _SETTINGS_TABLES:
            table = tables.get(name, {})
            if not isinstance(table, dict):
                self.fail(place + (name,), "must be a table")
            for key, value in table.items():
                check = functools.partial(checks.setting, key)
                self.checked(place + (name, key), check, value)
            found.append(table)
        return Settings(*found)

    def checked(self, place, check, value):
        try:
            return check(value)
        except ValueError as error:
            self.fail(place, f"must be {error}")

    def check_roles(self, nodes):
        primaries = [i for i, node in enumerate(nodes) if node.role == "primary"]
        if not primaries:
            self.fail(("nodes",), "none has the role primary")
        if len(primaries) > 1:
            self.fail(("nodes", primaries[1], "role"), "a second primary")

    def check_conflicts(self, nodes):
        """No two nodes may want the same: a name, a port of a host, a directory of a machine."""
        taken = {}
        for i, node in enumerate(nodes):
            claims = {
                "name": ("name", node.name),
                "port": (node.host, node.port),
                "replication_port": (node.host, node.replication_port),
                "data_dir": (node.ssh, "dir", node.data_dir),
            }
            for key, claim in claims.items():
                if claim[-1] is None:
                    continue
                if claim in taken:
                    self.fail(("nodes", i, key), f"taken by node {taken[claim]}")
                taken[claim] = node.name

    def check_reachable(self, cluster):
        for i, node in enumerate(cluster.nodes):
            if not _is_loopback(node.host) and "bind" not in cluster.settings_of(node, node.role):
                self.fail(
                    ("nodes", i, "host"),
                    "the node would listen on 127.0.0.1 alone; give it settings = { bind = ... }",
                )


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
