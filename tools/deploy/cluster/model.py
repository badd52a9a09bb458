"""What a cluster file says, as values. docs/deployment.md explains each key."""

import dataclasses
import os

ROLES = ("primary", "replica")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The nodes' own settings: of both roles, and of each."""

    both: dict = dataclasses.field(default_factory=dict)
    primary: dict = dataclasses.field(default_factory=dict)
    replica: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Node:
    """One of [[nodes]]. `role` is that of the first start; later ones are remembered elsewhere."""

    name: str
    role: str
    port: int
    host: str = "127.0.0.1"
    ssh: str | None = None
    replication_port: int | None = None
    data_dir: str | None = None
    settings: Settings = dataclasses.field(default_factory=Settings)

    @property
    def address(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def replication_address(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.replication_port}"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A whole cluster file. `path` is where it was read; `package` is absolute."""

    path: str
    name: str
    package: str
    nodes: tuple
    state_dir: str = "/var/lib/tidemark"
    log_bytes: int = 16 << 20
    log_files: int = 4
    ready_timeout_s: int = 60
    stop_timeout_s: int = 90
    caught_up_timeout_s: int = 300
    settings: Settings = dataclasses.field(default_factory=Settings)

    @property
    def directory(self):
        """Where everything of this cluster is, on each machine."""
        return os.path.join(self.state_dir, self.name)

    def node(self, name):
        """None if no node has the name."""
        return next((node for node in self.nodes if node.name == name), None)

    def first_primary(self):
        return next(node for node in self.nodes if node.role == "primary")

    def settings_of(self, node, role):
        """What the node's settings file says when it is started in `role`, but for its keys.

        A role's tables go before those of both roles, and the node's before the cluster's.
        """
        own, shared = node.settings, self.settings
        if role == "primary":
            return {**shared.both, **own.both, **shared.primary, **own.primary}
        return {**shared.both, **own.both, **shared.replica, **own.replica}
