"""A node's process on its machine, through agent.sh."""

import dataclasses
import os
import time

from .failures import Failure
from .settings_file import fingerprint

# How long one call waits on the other side: a Ctrl-C here is seen soon, and ssh is not asked often.
_SLICE_S = 5
AGENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent.sh")


class Agent:
    """agent.sh on one host."""

    def __init__(self, host):
        self.host = host
        with open(AGENT, encoding="utf-8") as file:
            self._script = file.read()

    def words(self, command, *arguments):
        return ["sh", "-c", self._script, "agent", command, *map(str, arguments)]

    def ask(self, command, *arguments, content=b""):
        """What it prints; Failure with its complaint."""
        return self.host.run(self.words(command, *arguments), content).text()


@dataclasses.dataclass(frozen=True)
class ProcessState:
    """What is known of a process. `state`: "running", "stopped" (or never started), "died"."""

    state: str
    pid: int = 0
    uptime_s: int = 0
    rss_kb: int = 0
    package: str = ""
    role: str = ""
    settings: str = ""  # The fingerprint of the node.toml that it was started with.

    @property
    def running(self):
        return self.state == "running"


class NodeProcess:
    def __init__(self, cluster, node, host):
        self._cluster = cluster
        self.name = node.name
        self.agent = Agent(host)
        self.directory = os.path.join(cluster.directory, "nodes", node.name)

    def state(self):
        words = self.agent.ask("state", self.directory).split()
        if words[0] != "running":
            return ProcessState(words[0])
        pid, uptime_s, rss_kb, package, role, settings = words[1:]
        numbers = (int(pid), int(uptime_s), int(rss_kb))
        return ProcessState("running", *numbers, package, role, settings)

    def start(self, package, role, settings):
        """Starts it unless it runs; whether it did not. `settings` is the text of its node.toml."""
        said = self.agent.ask(
            "start",
            self.directory,
            os.path.join(self._cluster.directory, "packages"),
            package,
            role,
            fingerprint(settings),
            self._cluster.log_bytes,
            self._cluster.log_files,
            content=settings.encode(),
        )
        return said == "started"

    def wait_until_ready(self):
        """Its ready line. Failure if it ends, or is not ready in time: then it goes on trying."""
        deadline = time.monotonic() + self._cluster.ready_timeout_s
        while True:
            left_s = max(0, min(_SLICE_S, int(deadline - time.monotonic())))
            what, _, line = self.agent.ask("ready", self.directory, left_s).partition(" ")
            if what == "ready":
                return line
            if what == "ended":
                raise Failure(f"{self.name} ended: {line or 'it said nothing'}")
            if time.monotonic() >= deadline:
                raise Failure(
                    f"{self.name} runs but is not ready after {self._cluster.ready_timeout_s} s; "
                    "see its log, and ready_timeout_s"
                )

    def stop(self, signal="TERM", timeout_s=None):
        """Signals it and waits until it is gone; False if it still runs then."""
        deadline = time.monotonic() + (timeout_s or self._cluster.stop_timeout_s)
        while True:
            left_s = max(0, min(_SLICE_S, int(deadline - time.monotonic())))
            if self.agent.ask("stop", self.directory, signal, left_s) == "stopped":
                return True
            if time.monotonic() >= deadline:
                return False
            signal = 0  # A second SIGTERM would tell a node to give up what it still has to write.

    def log_end(self, lines):
        return self.agent.ask("tail", self.directory, lines)

    def follow_words(self, lines):
        """The process that prints the log's end and goes on with what comes."""
        return self.agent.host.words(self.agent.words("tail", self.directory, lines, "follow"))
