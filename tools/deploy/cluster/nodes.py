"""What nodes say of themselves, and what they are told."""

import dataclasses

from .failures import Failure
from .resp import Connection, ReplyError


class NoAnswer(Failure):
    """The node cannot be asked; str() says why."""


@dataclasses.dataclass(frozen=True)
class View:
    """What a node answers to TIDE WATERMARKS.

    `position`, by the primary's shard, is what a primary has emitted or a replica has applied;
    positions of different histories do not compare.
    """

    role: str
    history: str
    position: tuple
    replicas: tuple = ()  # As the primary knows them: dicts of id, addr, state, lag_records, ...

    def has_all_of(self, other):
        return (
            self.history == other.history
            and len(self.position) == len(other.position)
            and all(mine >= theirs for mine, theirs in zip(self.position, other.position))
        )

    @property
    def records(self):
        return sum(self.position)


def _fields(flat):
    """RESP2 gives a map as a flat array."""
    return dict(zip(flat[::2], flat[1::2]))


def read_view(reply):
    """The View in a reply to TIDE WATERMARKS; what it does not know it passes over."""
    try:
        fields = _fields(reply)
        role = fields["role"]
        position = fields["emitted" if role == "primary" else "applied"]
        replicas = tuple(_fields(replica) for replica in fields.get("replicas") or ())
        return View(role, fields["history"], tuple(map(int, position or ())), replicas)
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer("what answers is not a node of ours") from error


class NodeClient:
    """One node, reached anew for each question: between two the node may have restarted."""

    def __init__(self, node, password):
        self._node = node
        self._password = password

    def ask(self, *words, timeout_s=5.0):
        """The reply; NoAnswer if there is none, Failure with the node's error."""
        try:
            with Connection(self._node.host, self._node.port, self._password, timeout_s) as link:
                return link.call(*words)
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            raise NoAnswer(f"{self._node.name} at {self._node.address}: {why}") from error
        except ReplyError as error:
            raise Failure(f"{self._node.name}: {error}") from error

    def view(self):
        try:
            return read_view(self.ask("TIDE", "WATERMARKS"))
        except NoAnswer:
            raise
        except Failure as error:  # LOADING, or a password that is not ours.
            raise NoAnswer(str(error)) from error

    def knows(self, command):
        """Whether the node has the command."""
        return self.ask("COMMAND", "INFO", command) != [None]

    def info(self, section):
        lines = self.ask("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)
