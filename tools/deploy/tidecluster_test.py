"""tidecluster with real nodes on this machine.

    tidecluster_test.py PRIMARY REPLICA TIDECTL TIDELOG

The programs are those of a package; what they can do at run time (FAILOVER, replicas with a
replication port) decides which of two ways some stories go.
"""

import os
import random
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest

from checking_client import CheckingClient
from cluster.hosts import LocalHost
from cluster.processes import Agent
from cluster.resp import Connection, ReplyError

PROGRAMS = [os.path.abspath(path) for path in sys.argv[1:5]]
del sys.argv[1:5]
TIDECLUSTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tidecluster")
NO_CHAINS = b"a replica does not serve replicas of its own"
NO_REPLICA_LOG = b"a replica keeps nothing on disk yet"


def free_ports(count):
    """Below those that the kernel gives to connections: none is taken while a node restarts."""
    found = set()
    while len(found) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                found.add(port)
            except OSError:
                pass
    return list(found)


class TideclusterTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tidecluster")
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(self.path("package"))
        for program in PROGRAMS:
            shutil.copy(program, self.path("package"))
        with open(self.path("package", "replica"), "rb") as file:
            replica = file.read()
        self.replicas_can_serve = NO_CHAINS not in replica
        self.replicas_have_logs = NO_REPLICA_LOG not in replica
        self.file = self.path("cluster.toml")
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": self.folder}
        self.errors = ""

    def tearDown(self):
        if os.path.exists(self.file):
            self.run_tidecluster("down", "--kill")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_file(self, names="abc", data_dirs="a", replication_ports=None, extra=""):
        """A cluster whose first node is the primary; with data directories for `data_dirs`."""
        if replication_ports is None:
            replication_ports = names if self.replicas_can_serve else names[0]
        ports = iter(free_ports(2 * len(names)))
        self.ports = {}
        text = '[cluster]\nname = "test"\npackage = "package"\n'
        text += f'state_dir = "{self.path("state")}"\n'
        text += "stop_timeout_s = 120\n[settings]\nshards = 2\n"
        for name in names:
            role = "primary" if name == names[0] else "replica"
            self.ports[name] = next(ports)
            text += f'[[nodes]]\nname = "{name}"\nrole = "{role}"\nport = {self.ports[name]}\n'
            if name in replication_ports:
                text += f"replication_port = {next(ports)}\n"
            if name in data_dirs:
                text += f'data_dir = "{self.path("data-" + name)}"\n'
            text += extra
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def run_tidecluster(self, *words):
        """The exit status; what it said is in self.output and self.errors."""
        done = subprocess.run(
            [sys.executable, TIDECLUSTER, f"--file={self.file}", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.output, self.errors = done.stdout, done.stderr
        return done.returncode

    def tidecluster(self, *words):
        self.assertEqual(self.run_tidecluster(*words), 0, f"{words}: {self.output}{self.errors}")
        return self.output

    def refused(self, *words, status=1):
        """The one line that says why."""
        ended = self.run_tidecluster(*words)
        self.assertEqual(ended, status, f"{words}: {self.output}{self.errors}")
        self.assertEqual(len(self.errors.splitlines()), 1, self.errors)
        return self.errors

    def addresses(self):
        return [("127.0.0.1", port) for port in self.ports.values()]

    def ask(self, name, *words):
        with Connection("127.0.0.1", self.ports[name]) as link:
            return link.call(*words)

    def role(self, name):
        return self.ask(name, "ROLE")[0]

    def knows(self, name, command):
        return self.ask(name, "COMMAND", "INFO", command) != [None]

    def pid(self, name):
        with open(self.path("state", "test", "nodes", name, "process"), encoding="utf-8") as file:
            return int(file.read().split()[0])

    def pids(self):
        return {name: self.pid(name) for name in self.ports}

    def kill(self, name):
        os.kill(self.pid(name), 9)
        deadline = time.monotonic() + 60
        node = self.path("state", "test", "nodes", name)
        while Agent(LocalHost()).ask("state", node) != "died":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def assert_promises_kept(self, client):
        client.stop()
        self.tidecluster("verify")
        self.assertGreater(client.answered, 0)
        for address in self.addresses():
            self.assertEqual(client.broken_promises(address), [])
        longest_s = client.longest_break_s
        print(f"{self.id()}: {client.answered} answered, longest break {longest_s:.3f} s")


class StartingTest(TideclusterTest):
    def test_up_twice_starts_once_and_a_dead_node_alone(self):
        self.write_file()
        self.tidecluster("check")
        self.tidecluster("up")
        before = self.pids()
        self.assertIn("nothing to do", self.tidecluster("up"))
        self.assertEqual(self.pids(), before)
        self.tidecluster("status")
        self.ask("a", "SET", "key", "value")
        self.tidecluster("verify")

        self.kill("b")
        self.assertIn("b: not running", self.refused("status"))
        self.assertRegex(self.output, r"(?m)^b +- .* died$")
        self.tidecluster("up")
        after = self.pids()
        self.assertNotEqual(after.pop("b"), before.pop("b"))
        self.assertEqual(after, before)
        self.assertEqual(self.ask("b", "GET", "key"), "value")

        self.assertIn("a: ", self.tidecluster("logs", "a", "--lines", "1"))
        self.tidecluster("down")
        self.assertIn("no node runs", self.tidecluster("down"))
        self.assertIn("a, b, c: not running", self.refused("status"))
        self.tidecluster("up")
        self.assertEqual(self.ask("c", "GET", "key"), "value")

    def test_a_replica_that_waits_for_its_primary_does_not_keep_it_from_starting(self):
        self.write_file("ab")
        self.tidecluster("up")
        self.kill("a")
        self.kill("b")
        # As a supervisor would: the replica alone.
        node = self.path("state", "test", "nodes", "b")
        self.start_as_before(node)
        self.tidecluster("up")
        self.assertEqual((self.role("a"), self.role("b")), ("master", "slave"))
        self.tidecluster("verify")
        self.tidecluster("down", "b")
        self.assertEqual(self.role("a"), "master")
        self.assertIn("b: not running", self.refused("status"))

    def start_as_before(self, node):
        with open(os.path.join(node, "process"), encoding="utf-8") as file:
            package, role, settings = file.read().split()[3:]
        with open(os.path.join(node, "node.toml"), "rb") as file:
            agent = Agent(LocalHost())
            packages = self.path("state", "test", "packages")
            said = agent.ask(
                "start", node, packages, package, role, settings, 1 << 20, 4, content=file.read()
            )
        self.assertEqual(said, "started")

    def test_what_is_wrong_is_said_in_one_line(self):
        self.write_file(extra="settings = { shards = 5000 }\n")
        self.assertRegex(self.refused("up"), r"^tidecluster: a ended: .*shards.*from 0 to 1024")
        self.write_file(extra="settings = { shrads = 2 }\n")
        self.assertIn("shrads is not a setting of a primary", self.refused("check", status=64))
        self.write_file(extra="colour = 1\n")
        self.assertRegex(self.refused("up", status=64), r"cluster.toml:\d+: nodes.1.colour: not")
        self.assertIn("usage", self.refused("upp", status=64))
        self.write_file()
        self.assertIn("z is not a node", self.refused("logs", "z", status=64))

    def test_no_empty_primary_over_replicas_that_hold_data(self):
        self.write_file(data_dirs="")
        self.tidecluster("up")
        self.ask("a", "SET", "key", "value")
        self.tidecluster("verify")
        self.kill("a")
        self.assertIn("b, c still hold data", self.refused("up"))
        self.assertEqual(self.ask("b", "GET", "key"), "value")

    def test_a_password_and_a_port_that_is_taken(self):
        self.write_file(extra='settings = { requirepass = "sesame" }\n')
        self.tidecluster("up")
        self.tidecluster("status")
        self.tidecluster("verify")
        with self.assertRaisesRegex(ReplyError, "NOAUTH"):
            self.ask("a", "GET", "key")
        self.tidecluster("down")
        with socket.create_server(("127.0.0.1", self.ports["b"])):
            self.assertRegex(self.refused("up"), f"^tidecluster: b ended: .*{self.ports['b']}")

    def test_another_machine_by_the_same_path(self):
        fake = self.path("ssh")
        with open(fake, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec sh -c "$*"\n')
        os.chmod(fake, stat.S_IRWXU)
        self.environment["TIDECLUSTER_SSH"] = fake
        self.write_file(extra='ssh = "tide@far"\n')
        self.tidecluster("up")
        self.tidecluster("rolling-restart")
        self.tidecluster("verify")
        self.tidecluster("down")


class UnderLoadTest(TideclusterTest):
    def test_a_rolling_restart_loses_nothing_that_was_answered(self):
        self.write_file()
        self.tidecluster("up")
        before = self.pids()
        with CheckingClient(self.addresses()) as client:
            client.wait_for(500)
            print(self.tidecluster("rolling-restart"))
            client.wait_for(500)
            self.assertTrue(all(before[name] != pid for name, pid in self.pids().items()))
            self.assert_promises_kept(client)

    def test_replicas_with_logs_of_their_own_need_no_full_sync(self):
        if not self.replicas_have_logs:
            self.skipTest("these replicas keep no log")
        self.write_file(data_dirs="abc")
        self.tidecluster("up")
        with CheckingClient(self.addresses()) as client:
            client.wait_for(500)
            before = self.full_syncs("a")
            print(self.tidecluster("rolling-restart", "--replicas-only"))
            client.wait_for(500)
            self.assertEqual(self.full_syncs("a"), before)
            self.assert_promises_kept(client)

    def full_syncs(self, name):
        metrics = self.ask(name, "TIDE", "METRICS")
        return re.search(r"(?m)^tidemark_replication_full_syncs_total (\S+)", metrics)[1]

    def test_a_rolling_restart_by_handing_over_needs_no_log(self):
        self.write_file(data_dirs="")
        self.tidecluster("up")
        if not (self.replicas_can_serve and self.knows("a", "FAILOVER")):
            self.skipTest("these nodes do not know FAILOVER")
        with CheckingClient(self.addresses()) as client:
            client.wait_for(500)
            print(self.tidecluster("rolling-restart"))
            client.wait_for(500)
            self.assert_promises_kept(client)

    def test_an_upgrade_restarts_what_is_old_and_a_new_replica_joins(self):
        self.write_file("ab")
        self.tidecluster("up")
        with CheckingClient(self.addresses()) as client:
            with open(self.path("package", "tidectl"), "ab") as file:
                file.write(b"newer")
            self.assertEqual(self.tidecluster("up").count("runs an older package"), 2)
            (port,) = free_ports(1)
            self.tidecluster("add-replica", "c", f"--port={port}")
            self.ports["c"] = port
            with open(self.file, "rb") as file:
                self.assertEqual(tomllib.load(file)["nodes"][2]["name"], "c")
            joined = self.pid("c")
            changed = ("rolling-restart", "--only-changed")
            self.assertRegex(self.tidecluster(*changed), "restarted a, b$")
            self.assertEqual(self.pid("c"), joined)
            self.assertIn("all are up to date", self.tidecluster(*changed))
            packages = os.listdir(self.path("state", "test", "packages"))
            self.assertEqual(len(packages), 1, packages)
            self.tidecluster("add-replica", "c", f"--port={port}")
            self.assertEqual(self.pid("c"), joined)
            self.assertIn("has a node c already", self.refused("add-replica", "c", "--port=1"))
            client.wait_for(100)
            self.assert_promises_kept(client)

    def test_a_primary_that_would_lose_everything_is_not_restarted(self):
        self.write_file(data_dirs="", replication_ports="a")
        self.tidecluster("up")
        before = self.pids()
        self.assertIn("a restart would lose everything", self.refused("rolling-restart"))
        self.assertEqual(self.pids(), before)
        self.tidecluster("rolling-restart", "--replicas-only")
        after = self.pids()
        self.assertEqual(after.pop("a"), before.pop("a"))
        self.assertFalse(set(after.values()) & set(before.values()))

    def test_a_planned_failover_and_back(self):
        self.write_file(data_dirs="")
        self.tidecluster("up")
        if not (self.replicas_can_serve and self.knows("a", "FAILOVER")):
            self.assertRegex(self.refused("failover"), "no replica can become the primary|FAILOVER")
            self.skipTest("these nodes do not know FAILOVER")
        with CheckingClient(self.addresses()) as client:
            client.wait_for(500)
            self.tidecluster("failover", "c")
            self.assertEqual([self.role(name) for name in "abc"], ["slave", "slave", "master"])
            client.wait_for(500)
            self.tidecluster("failover", "a")
            client.wait_for(500)
            self.assertEqual([self.role(name) for name in "abc"], ["master", "slave", "slave"])
            self.assert_promises_kept(client)
        self.assertIn("nothing to do", self.tidecluster("failover", "a"))

    def test_a_forced_failover_and_the_old_primary_comes_back_as_a_replica(self):
        self.write_file(data_dirs="")
        self.tidecluster("up")
        if not (self.replicas_can_serve and self.knows("b", "REPLICAOF")):
            self.skipTest("these nodes do not know REPLICAOF")
        self.lose_the_primary_and_promote_b()

    def test_a_forced_failover_onto_a_replica_s_log(self):
        if not (self.replicas_have_logs and self.replicas_can_serve):
            self.skipTest("these replicas have no logs, or no replication ports")
        self.write_file(data_dirs="abc")
        self.tidecluster("up")
        self.lose_the_primary_and_promote_b()

    def lose_the_primary_and_promote_b(self):
        with CheckingClient(self.addresses()) as client:
            client.wait_for(500)
            client.stop()
            self.tidecluster("verify")  # Nothing is on its way when the primary dies.
            self.kill("a")
            self.assertIn("--force` promotes b", self.refused("failover"))
            self.tidecluster("failover", "--force")
            self.assertEqual([self.role(name) for name in "bc"], ["master", "slave"])
            self.tidecluster("up")
            self.assertEqual(self.role("a"), "slave")
            self.assert_promises_kept(client)
        # All stop; who was the primary is known all the same.
        self.tidecluster("down")
        self.assertIn("b: serves as primary", self.tidecluster("up"))


class SystemdTest(TideclusterTest):
    def test_units_and_settings_are_what_systemd_and_the_nodes_take(self):
        self.write_file()
        self.tidecluster("systemd", f"--into={self.path('units')}")
        for name, role in (("a", "primary"), ("b", "replica")):
            with open(self.path("units", name, "role"), encoding="utf-8") as file:
                self.assertEqual(file.read().strip(), role)
            with open(self.path("units", name, "node.toml"), "rb") as file:
                self.assertEqual(tomllib.load(file)["port"], self.ports[name])
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze")
        # The unit as a machine has it, but for a program that is not there.
        unit = self.path("units", "tidemark@.service")
        with open(unit, encoding="utf-8") as file:
            text = file.read()
        program = "/etc/tidemark/%i/program"
        self.assertIn(program, text)
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text.replace(program, shutil.which("true")))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
