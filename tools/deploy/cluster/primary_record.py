"""Who was made primary last, noted on every machine of the cluster.

Needed only while no node is a primary that could be asked: after all have stopped. Each change has
the next number, and a machine that missed some is outvoted by a higher one.
"""

import os

from .hosts import Unreachable
from .processes import Agent


class PrimaryRecord:
    def __init__(self, cluster, hosts):
        self._path = os.path.join(cluster.directory, "roles")
        self._agents = [Agent(host) for host in hosts]

    def read(self):
        """The name of the primary; None if none was noted."""
        return self._newest()[1]

    def write(self, name):
        """Notes a change, wherever a machine can be reached."""
        number, noted = self._newest()
        if noted == name:
            return
        for agent in self._agents:
            try:
                agent.ask("put", self._path, "0644", content=f"{number + 1} {name}\n".encode())
            except Unreachable:
                pass  # It is outvoted when it comes back.

    def _newest(self):
        newest = (0, None)
        for agent in self._agents:
            try:
                words = agent.ask("get", self._path).split()
            except Unreachable:
                continue
            if len(words) == 2 and words[0].isdigit():
                newest = max(newest, (int(words[0]), words[1]), key=lambda noted: noted[0])
        return newest
