"""One cluster, as its commands see it: nodes' processes, what they answer, and shared waits."""

import functools
import time

from . import decisions
from .failures import Failure
from .hosts import Unreachable, host_of
from .nodes import NoAnswer, NodeClient
from .packages import Package
from .primary_record import PrimaryRecord
from .processes import NodeProcess, ProcessState
from .settings_file import fingerprint, settings_file

_POLL_S = 0.05


class RunningCluster:
    """Everything here blocks. `say` is given each line of progress."""

    def __init__(self, cluster, say=print):
        self.file = cluster
        self.say = say
        self._hosts = {node.ssh: host_of(node) for node in cluster.nodes}
        self.processes = {
            node.name: NodeProcess(cluster, node, self._hosts[node.ssh]) for node in cluster.nodes
        }
        self.clients = {
            node.name: NodeClient(node, self.password(node)) for node in cluster.nodes
        }
        self.record = PrimaryRecord(cluster, self._hosts.values())
        self._sent = set()

    def password(self, node):
        return str(self.file.settings_of(node, node.role).get("requirepass", ""))

    @functools.cached_property
    def package(self):
        """Read when first needed: looking at a cluster needs no programs but tidectl."""
        return Package(self.file.package)

    def states(self):
        """Every node's process; "unreachable" if its machine is."""
        found = {}
        for name, process in self.processes.items():
            try:
                found[name] = process.state()
            except Unreachable:
                found[name] = ProcessState("unreachable")
        return found

    def views(self):
        """What the nodes that answer say."""
        found = {}
        for name, client in self.clients.items():
            try:
                found[name] = client.view()
            except NoAnswer:
                pass
        return found

    def primary_now(self, views=None):
        """The name of the node that is a primary; Failure if none is."""
        primary = decisions.live_primary(self.views() if views is None else views)
        if primary is None:
            raise Failure("no node answers that is a primary; `status` shows what runs")
        return primary

    def settings_text(self, name, role, primary):
        return settings_file(self.file, self.file.node(name), role, self.file.node(primary))

    def is_up_to_date(self, name, state):
        """Whether a running process was started from the package and with the settings of now."""
        settings = self.settings_text(name, state.role, self.file.first_primary().name)
        return state.package == self.package.hash and state.settings == fingerprint(settings)

    def send_package(self, name):
        """To the node's machine, once; before a node is stopped, so that it is away less long."""
        ssh = self.file.node(name).ssh
        if ssh not in self._sent:
            self.package.send(self.file, self._hosts[ssh])
            self._sent.add(ssh)

    def start(self, name, role, primary):
        """Starts a node and does not wait; whether it did not run yet."""
        if role == "replica" and self.file.node(primary).replication_port is None:
            raise Failure(f"{primary} has no replication_port: nobody can follow it")
        self.send_package(name)
        return self.processes[name].start(
            self.package.hash, role, self.settings_text(name, role, primary)
        )

    def prune_packages(self):
        """On the machines where a node was started: what it ran before is nobody's any more."""
        for ssh in self._sent:
            self.package.prune(self.file, self._hosts[ssh])

    def start_and_wait(self, name, role, primary):
        began = time.monotonic()
        self.start(name, role, primary)
        self.processes[name].wait_until_ready()
        self.say(f"{name}: serves as {role} after {time.monotonic() - began:.1f} s")

    def stop(self, name):
        """Failure if it does not stop in time."""
        if not self.processes[name].stop():
            raise Failure(
                f"{name} did not stop within {self.file.stop_timeout_s} s; `down --kill` ends it"
            )

    def wait_caught_up(self, name, primary, timeout_s=None):
        """Waits until `name` has applied what `primary` has emitted by now."""
        timeout_s = timeout_s or self.file.caught_up_timeout_s
        target = self.clients[primary].view()

        def caught_up():
            view = self.clients[name].view()
            return view.role == "replica" and view.has_all_of(target)

        self.wait(caught_up, timeout_s, f"{name} has not caught up with {primary}")

    def wait(self, holds, timeout_s, otherwise):
        """Waits until holds() is true; a node that does not answer now may later."""
        deadline = time.monotonic() + timeout_s
        why = ""
        while True:
            try:
                if holds():
                    return
                why = ""
            except NoAnswer as error:
                why = f" ({error})"
            if time.monotonic() >= deadline:
                raise Failure(f"{otherwise} after {timeout_s} s{why}")
            time.sleep(_POLL_S)
