"""The node.toml that a node is started with: its settings, and its keys in the cluster file."""


import hashlib


def toml_value(value):
    """A string, whole number or boolean as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character):
    if character in '"\\':
        return "\\" + character
    if ord(character) < 32 or character == "\x7f":
        return f"\\u{ord(character):04x}"
    return character


def settings_file(cluster, node, role, primary):
    """Its text. `primary` is the node that a replica follows."""
    values = cluster.settings_of(node, role)
    values["port"] = node.port
    if node.replication_port is not None:
        values["replication_port"] = node.replication_port
    if node.data_dir is not None:
        values["data_dir"] = node.data_dir
    if role == "replica":
        values["primary"] = primary.replication_address
    lines = [f"# Node {node.name} of cluster {cluster.name}: written by tidecluster at each start."]
    lines += [f"{key} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def fingerprint(text):
    """Tells settings files apart, but not by whom a replica follows: it changes while nodes run."""
    lines = [line for line in text.splitlines() if not line.startswith("primary = ")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
