"""The programs that nodes are started from, named by what is in them, copied once to each machine.

A package that is built anew has another name, so nothing changes under a process that runs.
"""

import hashlib
import os

from .failures import Failure
from .processes import Agent

PROGRAMS = ("primary", "replica", "tidectl", "tidelog")


class Package:
    """The directory `path`, as it is now."""

    def __init__(self, path):
        self.path = path
        total = hashlib.sha256()
        for program in PROGRAMS:
            total.update(hashlib.sha256(self._read(program)).digest())
        self.hash = total.hexdigest()[:16]

    def program(self, name):
        return os.path.join(self.path, name)

    def send(self, cluster, host):
        """Makes it available on a machine; does nothing if it is there."""
        agent = Agent(host)
        packages = os.path.join(cluster.directory, "packages")
        there = os.path.join(packages, self.hash)
        for program in agent.ask("missing", there, *PROGRAMS).split():
            agent.ask("put", os.path.join(there, program), "0755", content=self._read(program))
        self.prune(cluster, host)

    def prune(self, cluster, host):
        """Deletes the other packages there, but for those that nodes run."""
        nodes = os.path.join(cluster.directory, "nodes")
        Agent(host).ask("prune", os.path.join(cluster.directory, "packages"), nodes, self.hash)

    def _read(self, program):
        path = self.program(program)
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise Failure(f"{path}: {error.strerror}; is the package built?") from error
