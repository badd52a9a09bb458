"""A client that knows what it was promised: for tests that restart and replace nodes under it.

Each of its threads writes growing numbers to keys of its own, one command at a time, and remembers
which it has been answered. Whatever happens to the nodes, a key must afterwards hold at least the
last number that was answered, and none that was never written. A thread that loses its node, or
finds that it takes no writes, tries the others.
"""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from cluster.resp import Connection, ReplyError  # noqa: E402  The path comes first.

_RETRY_S = 0.01
_TIMEOUT_S = 5


class CheckingClient:
    """with CheckingClient([(host, port), ...]) as client: ..."""

    def __init__(self, addresses, threads=4, keys=16):
        self._addresses = addresses
        self._end = threading.Event()
        self._writers = [_Writer(self, i, keys) for i in range(threads)]
        self._threads = [threading.Thread(target=writer.run) for writer in self._writers]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the load; what was answered stands from here on."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self):
        """Writes that were answered so far."""
        return sum(writer.answered for writer in self._writers)

    @property
    def longest_break_s(self):
        """The longest time between two answers to one thread."""
        return max(writer.longest_break_s for writer in self._writers)

    def wait_for(self, more, timeout_s=60):
        """Until so many more writes have been answered."""
        target = self.answered + more
        deadline = time.monotonic() + timeout_s
        while self.answered < target:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{target - self.answered} of {more} writes not answered")
            time.sleep(_RETRY_S)

    def broken_promises(self, address):
        """A line for each key that does not hold on this node what it must."""
        wrong = []
        with Connection(*address) as link:
            for writer in self._writers:
                for key, (answered, written) in writer.promises.items():
                    value = int(link.call("GET", key) or 0)
                    if not answered <= value <= written:
                        wrong.append(f"{key} is {value}, answered {answered}, written {written}")
        return wrong

    def run_until_stopped(self, writer):
        turn = 0
        while not self._end.is_set():
            address = self._addresses[turn % len(self._addresses)]
            turn += 1
            try:
                with Connection(*address, timeout_s=_TIMEOUT_S) as link:
                    while not self._end.is_set():
                        writer.write_next(link)
            except (OSError, ReplyError):
                self._end.wait(_RETRY_S)


class _Writer:
    def __init__(self, client, number, keys):
        self._client = client
        self._names = [f"promise:{number}:{i}" for i in range(keys)]
        self.promises = {name: (0, 0) for name in self._names}  # Answered, written.
        self.answered = 0
        self.longest_break_s = 0.0
        self._last = None
        self._next = 0

    def run(self):
        self._client.run_until_stopped(self)

    def write_next(self, link):
        self._next += 1
        key = self._names[self._next % len(self._names)]
        self.promises[key] = (self.promises[key][0], self._next)
        link.call("SET", key, self._next)
        self.promises[key] = (self._next, self._next)
        self.answered += 1
        now = time.monotonic()
        if self._last is not None:
            self.longest_break_s = max(self.longest_break_s, now - self._last)
        self._last = now
