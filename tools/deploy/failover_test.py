"""Failover and what leads to it, with nodes that only talk: every refusal, and who is told what.

    failover_test.py TIDELOG

tidecluster_test.py does the same with real nodes under load.
"""

import io
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import unittest
from contextlib import redirect_stderr, redirect_stdout

from cluster import command_line, failover
from cluster.model import Node
from cluster.nodes import View
from cluster.resp import Connection

TIDELOG = os.path.abspath(sys.argv.pop(1))
FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake_node.py")


class AddressTest(unittest.TestCase):
    def test_a_replica_is_named_as_its_primary_sees_it(self):
        def seen(*addresses, host="127.0.0.1", port=6380):
            replicas = tuple({"addr": address} for address in addresses)
            node = Node("b", "replica", port, host=host)
            return failover.address_as_seen(View("primary", "h", (), replicas), node)

        self.assertEqual(seen("127.0.0.1:6380", "10.0.0.9:6380"), ("127.0.0.1", 6380))
        self.assertEqual(seen("127.0.0.1:6380", host="localhost"), ("127.0.0.1", 6380))
        self.assertEqual(seen("10.0.0.9:6380", "10.0.0.8:6381"), ("10.0.0.9", 6380))
        self.assertEqual(seen("[::1]:6380", host="::1"), ("::1", 6380))
        self.assertEqual(seen("10.0.0.9:6380", "10.0.0.8:6380"), ("127.0.0.1", 6380))
        self.assertEqual(seen(), ("127.0.0.1", 6380))


class FailoverTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="failover")
        self.addCleanup(shutil.rmtree, self.folder)
        os.environ["XDG_RUNTIME_DIR"] = self.folder
        os.mkdir(self.path("package"))
        shutil.copy(TIDELOG, self.path("package", "tidelog"))
        for role in ("primary", "replica"):
            self.write(f'#!/bin/sh\nexec python3 -B "{FAKE}" {role} "$@"\n', "package", role)
        self.write("#!/bin/sh\n", "package", "tidectl")

    def tearDown(self):
        self.run_command("down", "--kill")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, text, *names):
        with open(self.path(*names), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o755)

    def up(self, settings=None, without_port=(), data_dirs=()):
        """A cluster of a, the primary, b and c; `settings` are lines of a node's."""
        self.ports = {}
        text = '[cluster]\nname = "fakes"\npackage = "package"\n'
        text += f'state_dir = "{self.path("state")}"\n'
        text += "caught_up_timeout_s = 2\nready_timeout_s = 30\nstop_timeout_s = 30\n"
        base = random.randrange(20000, 31000, 10)
        while any(self.taken(base + i) for i in range(6)):
            base = random.randrange(20000, 31000, 10)
        for i, name in enumerate("abc"):
            self.ports[name] = base + 2 * i
            role = "primary" if name == "a" else "replica"
            text += f'[[nodes]]\nname = "{name}"\nrole = "{role}"\nport = {base + 2 * i}\n'
            if name not in without_port:
                text += f"replication_port = {base + 2 * i + 1}\n"
            if name in data_dirs:
                text += f'data_dir = "{self.path("data-" + name)}"\n'
            text += f"settings = {{ {(settings or {}).get(name, '')} }}\n"
        self.write(text, "cluster.toml")
        self.succeeds("up")

    @staticmethod
    def taken(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return True
        return False

    def run_command(self, *words):
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            status = command_line.main([f"--file={self.path('cluster.toml')}", *words])
        return status, output.getvalue(), errors.getvalue()

    def succeeds(self, *words):
        status, output, errors = self.run_command(*words)
        self.assertEqual(status, 0, f"{words}: {output}{errors}")
        return output

    def refused(self, *words):
        status, output, errors = self.run_command(*words)
        self.assertEqual(status, 1, f"{words}: {output}{errors}")
        self.output = output
        return errors

    def ask(self, name, *words):
        with Connection("127.0.0.1", self.ports[name]) as link:
            return link.call(*words)

    def roles(self):
        return "".join(self.ask(name, "ROLE")[0][0] for name in "abc")

    def follows(self, name):
        port = int(self.ask(name, "ROLE")[1].rsplit(":", 1)[1])
        return next(name for name, its in self.ports.items() if its in (port, port - 1))

    def signal(self, name, number):
        with open(self.path("state", "fakes", "nodes", name, "process"), encoding="utf-8") as file:
            pid = int(file.read().split()[0])
        os.kill(pid, number)
        return pid

    def kill(self, name):
        pid = self.signal(name, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while os.path.exists(f"/proc/{pid}/exe") and time.monotonic() < deadline:
            time.sleep(0.01)

    def test_a_planned_one_tells_everybody(self):
        self.up()
        self.succeeds("failover", "c")
        self.assertEqual(self.roles(), "ssm")
        self.assertEqual((self.follows("a"), self.follows("b")), ("c", "c"))
        self.assertIn("c is the primary; nothing to do", self.succeeds("failover", "c"))
        # The roles of now are those of the next start, too, though none runs that could be asked.
        self.succeeds("down")
        self.succeeds("up")
        self.assertEqual(self.roles(), "ssm")

    def test_a_primary_that_gives_up_remains_one(self):
        self.up({"a": "refuse_failover = true"})
        self.assertIn("a gave up handing over to b and remains", self.refused("failover"))
        self.assertEqual(self.roles(), "mss")

    def test_a_primary_that_does_not_hand_over_restarts_in_place_if_it_has_a_log(self):
        self.up({"a": "no_failover = true"})
        self.assertIn("a: ERR no failover here", self.refused("failover"))
        self.assertIn("a: ERR no failover here", self.refused("rolling-restart"))
        self.succeeds("down")
        self.up({"a": "no_failover = true"}, data_dirs="a")
        output = self.succeeds("rolling-restart")
        self.assertIn("a: does not hand over: a: ERR no failover here", output)
        self.assertIn("a: restarted in place", output)
        self.assertEqual(self.roles(), "mss")

    def test_a_replica_that_is_behind_is_not_handed_over_to(self):
        self.up({"a": 'position = "5 5"', "b": 'position = "5 4"'})
        self.assertIn("b has not caught up with a after 2 s", self.refused("failover", "b"))
        self.assertEqual(self.roles(), "mss")

    def test_who_cannot_become_the_primary(self):
        self.up(without_port="c")
        self.assertIn("c has no replication_port", self.refused("failover", "c"))
        self.assertIn("z is not a node of", self.refused("failover", "z"))
        self.kill("b")
        self.assertIn("b does not answer", self.refused("failover", "b"))
        self.assertIn("none answers that has a replication_port", self.refused("failover"))

    def test_a_forced_one_says_what_is_lost_and_waits_for_force(self):
        self.up({"b": 'position = "7 4"', "c": 'position = "4 4"'})
        self.kill("a")
        self.assertIn("`failover b --force` promotes b", self.refused("failover"))
        self.assertIn("b has applied [7, 4] of history 00000001; what a ack", self.output)
        self.assertEqual(self.ask("b", "ROLE")[0], "slave")

    def test_of_replicas_that_lack_something_of_each_other_none_is_chosen(self):
        self.up({"b": 'position = "7 2"', "c": 'position = "4 4"'})
        self.kill("a")
        for words in (["failover"], ["failover", "--force"]):
            self.assertIn("no replica has all that the others have", self.refused(*words))
            self.assertEqual(self.ask("b", "ROLE")[0] + self.ask("c", "ROLE")[0], "slaveslave")
        # c stays where it is, as its settings say.
        self.assertIn("c has not caught up with b", self.refused("failover", "b", "--force"))
        self.assertIn("c has records 3 to 4 of shard 1, which b lacks", self.output)
        self.assertEqual(self.ask("b", "ROLE")[0], "master")

    def test_a_forced_one_promotes_and_the_dead_comes_back_as_a_replica(self):
        self.up()
        self.kill("a")
        self.assertIn("`up` starts it as a replica of b", self.succeeds("failover", "--force"))
        self.assertEqual((self.ask("b", "ROLE")[0], self.follows("c")), ("master", "b"))
        self.succeeds("up")
        self.assertEqual(self.roles(), "sms")
        self.assertEqual(self.follows("a"), "b")

    def test_nodes_that_keep_their_role_are_restarted_in_another_if_they_have_logs(self):
        keep = {name: "no_failover = true" for name in "abc"}
        self.up(keep, data_dirs="bc")
        self.kill("a")
        output = self.succeeds("failover", "--force")
        self.assertIn("b: is restarted on its log: b: ERR no change of roles here", output)
        self.assertIn("c: is restarted to follow b", output)
        self.assertEqual((self.ask("b", "ROLE")[0], self.follows("c")), ("master", "b"))
        # Without a log there is nothing to start on.
        self.succeeds("down")
        self.up(keep)
        self.assertEqual(self.roles(), "sms")
        self.kill("b")
        self.assertIn("a: ERR no change of roles here", self.refused("failover", "--force"))
        self.assertEqual(self.ask("a", "ROLE")[0], "slave")

    def test_a_primary_that_hangs_is_killed_before_another_is_made(self):
        self.up()
        pid = self.signal("a", signal.SIGSTOP)
        self.assertIn("no primary answers", self.refused("failover"))
        self.assertTrue(os.path.exists(f"/proc/{pid}/exe"))
        self.assertIn("a: ran and did not answer; killed", self.succeeds("failover", "--force"))
        self.assertFalse(os.path.exists(f"/proc/{pid}/exe"))

    def test_two_primaries_are_nothing_to_decide_here(self):
        self.up()
        self.ask("c", "REPLICAOF", "NO", "ONE")
        for command in ("up", "failover", "rolling-restart", "status"):
            self.assertIn("a and c are both primaries", self.refused(command))
        self.succeeds("down", "a")
        self.succeeds("up")
        self.assertEqual(self.roles(), "ssm")

    def test_a_rolling_restart_hands_over_and_restarts_the_old_primary(self):
        self.up()
        output = self.succeeds("rolling-restart")
        self.assertEqual(self.roles(), "sms")
        wanted = ("b: caught up with a", "c: caught", "b: is the primary", "a: caught up with b")
        places = [output.index(line) for line in wanted]
        self.assertEqual(places, sorted(places), output)


if __name__ == "__main__":
    unittest.main()
