"""What the pages for operators name exists: messages, metrics, and the alerts' numbers.

    pages_test.py RUNBOOK OPERATIONS PRIMARY REPLICA TIDECTL
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from cluster.resp import Connection

RUNBOOK, OPERATIONS, PRIMARY, REPLICA, TIDECTL = map(os.path.abspath, sys.argv[1:6])
del sys.argv[1:6]
HERE = os.path.dirname(os.path.abspath(__file__))
# Shorter pieces are found by chance, and compilers turn short texts into code.
LEAST_PIECE = 9
# Errors that tell of a node rather than of the command begin with these.
STATE_CODES = b"BUSYTIDE|LOADING|MISCONF|NOREPLICAS|READONLY|STALE|TIMEOUT|UNBLOCKED"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def documented_texts():
    """(line, text) of each first column of the runbook's tables."""
    for number, line in enumerate(read(RUNBOOK).decode().splitlines(), 1):
        if match := re.match(r"\| `([^`]*)` \|", line):
            yield number, match[1]


class PagesTest(unittest.TestCase):
    def test_every_message_of_the_runbook_is_in_a_program(self):
        programs = [read(path) for path in (PRIMARY, REPLICA, TIDECTL)]
        folder = os.path.join(HERE, "cluster")
        sources = b"".join(read(os.path.join(folder, name)) for name in sorted(os.listdir(folder)))
        # Python's literals may be cut at line ends.
        programs.append(re.sub(rb'"\s+f?"', b"", sources))
        pieces = [
            (number, piece.strip())
            for number, text in documented_texts()
            for piece in text.split("…")
            if len(piece.strip()) >= LEAST_PIECE
        ]
        self.assertGreater(len(pieces), 50)
        missing = [
            f"{RUNBOOK}:{number}: no program says '{piece}'"
            for number, piece in pieces
            if not any(piece.encode() in program for program in programs)
        ]
        self.assertEqual(missing, [])

    def test_every_error_about_a_nodes_state_is_in_the_runbook(self):
        pattern = rb"\0((?:%s) [ -~]{10,})" % STATE_CODES
        errors = {match.decode() for match in re.findall(pattern, read(PRIMARY))}
        self.assertGreater(len(errors), 10)
        rows = []
        for _, text in documented_texts():
            pieces = [piece.strip() for piece in text.split("…")]
            pieces = [piece for piece in pieces if len(piece) >= LEAST_PIECE]
            rows += [pieces] if pieces else []
        missing = [
            error
            for error in sorted(errors)
            if not any(all(piece in error for piece in pieces) for pieces in rows)
        ]
        self.assertEqual(missing, [])

    def test_every_metric_of_the_alerts_is_answered(self):
        page = read(OPERATIONS).decode()
        alerts = page[page.index("\n## Alerts\n") : page.index("\n## Backup and restore\n")]
        named = set(re.findall(r"tidemark_[a-z0-9_]+", alerts))
        self.assertGreater(len(named), 15)
        self.assertEqual(named - self.metrics_of_a_cluster(), set())

    def metrics_of_a_cluster(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            with self.node(PRIMARY, "--replication_port=0", f"--data_dir={data}") as primary:
                address = f"127.0.0.1:{self.ready(primary)['replication_port']}"
                with self.node(REPLICA, f"--primary={address}") as replica:
                    ports = [self.ready_lines[primary]["port"], self.ready(replica)["port"]]
                    found = set()
                    for port in ports:
                        with Connection("127.0.0.1", int(port)) as link:
                            page = link.call("TIDE", "METRICS")
                            found |= set(re.findall(r"(?m)^tidemark_[a-z0-9_]+", page))
                    replica.terminate()
                    replica.wait(timeout=60)
                primary.terminate()
                primary.wait(timeout=60)
        return found

    def node(self, program, *flags):
        process = subprocess.Popen(
            [program, "--port=0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    ready_lines = {}

    def ready(self, process):
        self.ready_lines[process] = dict(re.findall(r"(\w+)=(\S+)", process.stdout.readline()))
        return self.ready_lines[process]


if __name__ == "__main__":
    unittest.main()
