"""A node's process through agent.sh, on this machine and through what treats words as ssh does.

    processes_test.py TIDELOG
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest

from cluster.failures import Failure
from cluster.hosts import LocalHost, SshHost, Unreachable
from cluster.model import Cluster, Node
from cluster.packages import Package
from cluster.primary_record import PrimaryRecord
from cluster.processes import NodeProcess

TIDELOG = os.path.abspath(sys.argv.pop(1))

# Joins its words and gives them to a shell, as ssh's other side does.
FAKE_SSH = """#!/bin/sh
while [ "$1" != -- ]; do
  if [ "$1" = gone ]; then echo 'ssh: connect to host gone: No route to host' >&2; exit 255; fi
  shift
done
shift
exec sh -c "$*"
"""

# Says that it is ready, and what it is told to say; ends when asked to, unless it is stubborn.
FAKE_NODE = """#!/bin/sh
settings=${1#--config=}
if grep -q bad "$settings"; then echo "primary: bad setting" >&2; exit 64; fi
trap 'echo stopping >&2; exit 0' TERM
if grep -q stubborn "$settings"; then trap '' TERM; fi
if ! grep -q slow "$settings"; then echo "tidemark ready role=primary port=1 pid=$$"; fi
cat "$settings" >&2
while :; do sleep 0.05; done
"""


class ProcessesTest(unittest.TestCase):
    def host(self):
        return LocalHost()

    def setUp(self):
        # With blanks and quotes: what is said to the other side must survive its shell.
        self.folder = tempfile.TemporaryDirectory(suffix=" it's")
        package = self.path("package")
        os.mkdir(package)
        for name, text in (("primary", FAKE_NODE), ("replica", FAKE_NODE), ("tidectl", "")):
            with open(os.path.join(package, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(file.name, 0o755)
        with open(TIDELOG, "rb") as source, open(os.path.join(package, "tidelog"), "wb") as file:
            file.write(source.read())
        self.package = Package(package)
        self.cluster = self.make_cluster()
        self.process = NodeProcess(self.cluster, self.cluster.nodes[0], self.host())
        self.package.send(self.cluster, self.host())

    def tearDown(self):
        self.process.stop("KILL", 5)
        self.folder.cleanup()

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def make_cluster(self, ready_timeout_s=30):
        return Cluster(
            path="demo.toml",
            name="demo",
            package=self.path("package"),
            nodes=(Node("a", "primary", 1),),
            state_dir=self.path("state"),
            log_bytes=4096,
            log_files=2,
            ready_timeout_s=ready_timeout_s,
        )

    def start(self, settings=""):
        return self.process.start(self.package.hash, "primary", settings)

    def test_starts_once_and_stops(self):
        self.assertEqual(self.process.state().state, "stopped")
        self.assertTrue(self.start("shards = 2\n"))
        self.assertRegex(self.process.wait_until_ready(), "^tidemark ready role=primary port=1")
        state = self.process.state()
        self.assertTrue(state.running)
        self.assertEqual((state.package, state.role), (self.package.hash, "primary"))
        self.assertGreater(state.rss_kb, 0)
        self.assertFalse(self.start("shards = 3\n"))
        self.assertEqual(self.process.state().pid, state.pid)
        with open(os.path.join(self.process.directory, "node.toml"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "shards = 2\n")
            self.assertEqual(os.fstat(file.fileno()).st_mode & 0o777, 0o600)
        self.assertTrue(self.process.stop())
        self.assertEqual(self.process.state().state, "stopped")
        self.assertTrue(self.process.stop())

    def test_one_that_died_is_told_from_one_that_was_stopped(self):
        self.start()
        self.process.wait_until_ready()
        os.kill(self.process.state().pid, 9)
        self.wait(lambda: self.process.state().state == "died")
        self.assertTrue(self.start())
        self.process.wait_until_ready()

    def test_one_that_ends_at_once_says_why(self):
        self.start("bad = 1\n")
        with self.assertRaisesRegex(Failure, "^a ended: primary: bad setting"):
            self.process.wait_until_ready()

    def test_one_that_takes_too_long_is_left_to_go_on(self):
        self.process = NodeProcess(self.make_cluster(1), self.cluster.nodes[0], self.host())
        self.start("slow = 1\n")
        with self.assertRaisesRegex(Failure, "^a runs but is not ready after 1 s"):
            self.process.wait_until_ready()
        self.assertTrue(self.process.state().running)

    def test_one_that_does_not_stop_is_killed_only_when_asked(self):
        self.start("stubborn = 1\n")
        self.process.wait_until_ready()
        self.assertFalse(self.process.stop("TERM", 1))
        self.assertTrue(self.process.state().running)
        self.assertTrue(self.process.stop("KILL", 10))

    def test_a_stranger_with_the_same_number_is_left_alone(self):
        with subprocess.Popen(["sleep", "60"]) as stranger:
            try:
                os.makedirs(self.process.directory)
                start = self.start_time(stranger.pid)
                for line in (f"1 {self.boot()}", f"{start} another-boot"):
                    self.write_process(f"{stranger.pid} {line}")
                    self.assertEqual(self.process.state().state, "died")
                    self.assertTrue(self.process.stop("KILL", 5))
                    self.assertIsNone(stranger.poll())
                # The truth does reach it: the two above were not refused for another reason.
                self.write_process(f"{stranger.pid} {start} {self.boot()}")
                self.assertTrue(self.process.stop("KILL", 5))
                self.assertEqual(stranger.wait(timeout=10), -9)
            finally:
                stranger.kill()

    def test_the_log_has_a_bound_and_its_end_can_be_read(self):
        line = "x" * 99
        self.start("\n".join(f"# {i:04} {line}" for i in range(1000)) + "\n")
        self.process.wait_until_ready()
        self.wait(lambda: "# 0999" in self.process.log_end(1))
        self.assertEqual(len(self.process.log_end(50).splitlines()), 50)
        self.process.stop()
        self.wait(lambda: self.process.log_end(1) == "stopping")
        logs = [name for name in os.listdir(self.process.directory) if name.startswith("log")]
        self.assertEqual(sorted(logs), ["log", "log.1", "log.2"])
        for name in logs:
            self.assertLessEqual(os.path.getsize(os.path.join(self.process.directory, name)), 4096)

    def test_a_package_is_sent_once_and_kept_while_a_node_runs_it(self):
        self.start()
        packages = self.path("state", "demo", "packages")
        first = self.package.hash
        path = os.path.join(packages, first, "primary")
        before = os.stat(path).st_ino
        self.package.send(self.cluster, self.host())
        self.assertEqual(os.stat(path).st_ino, before)
        for text in ("2", "3"):
            with open(self.package.program("tidectl"), "w", encoding="utf-8") as file:
                file.write(text)
            newer = Package(self.package.path)
            newer.send(self.cluster, self.host())
            self.assertEqual(sorted(os.listdir(packages)), sorted({first, newer.hash}))

    def test_a_package_that_is_not_built(self):
        with self.assertRaisesRegex(Failure, "/nothing/primary: No such .*is the package built"):
            Package("/nothing")

    def test_the_newest_note_of_the_primary_counts(self):
        record = PrimaryRecord(self.cluster, [self.host()])
        self.assertIsNone(record.read())
        for name in ("a", "b", "b"):
            record.write(name)
        self.assertEqual(record.read(), "b")
        with open(self.path("state", "demo", "roles"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "2 b\n")

    def write_process(self, begin):
        path = os.path.join(self.process.directory, "process")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{begin} p primary s\n")

    def boot(self):
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()

    def start_time(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[19]

    def wait(self, holds):
        deadline = time.monotonic() + 60
        while not holds():
            self.assertLess(time.monotonic(), deadline, "took too long")
            time.sleep(0.02)


class OverSshTest(ProcessesTest):
    """All of it again, through a shell on the other side."""

    def host(self, destination="tide@far"):
        program = self.path("ssh")
        if not os.path.exists(program):
            with open(program, "w", encoding="utf-8") as file:
                file.write(FAKE_SSH)
            os.chmod(program, 0o755)
        return SshHost(destination, program, self.folder.name)

    def test_a_machine_that_is_away_is_not_taken_for_one_without_nodes(self):
        process = NodeProcess(self.cluster, self.cluster.nodes[0], self.host("gone"))
        with self.assertRaisesRegex(Unreachable, "^gone: ssh: connect to host gone: No route"):
            process.state()

    def test_a_note_goes_where_it_can(self):
        record = PrimaryRecord(self.cluster, [self.host("gone"), self.host()])
        record.write("b")
        self.assertEqual(record.read(), "b")


if __name__ == "__main__":
    unittest.main()
