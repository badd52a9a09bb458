"""Consumers, each a program of its own, against the export of a log in memory.

    export_consumer_test.py FAKE_NODE CONSUMER [FLAG...]

CONSUMER takes the address, --token, --resume, --consumer, --until-current and the FLAG that makes it
begin with a snapshot; both the Python example and tideexport do.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

NODE, CONSUMER, SNAPSHOT_FLAG, BEGINNING_FLAG = sys.argv[1:5]
del sys.argv[1:5]


class ConsumerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.resume = os.path.join(self.folder.name, "position")
        self.node = subprocess.Popen(
            [NODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.port = self.node.stdout.readline().split()[1]

    def tearDown(self):
        self.node.stdin.close()
        self.assertEqual(self.node.wait(timeout=60), 0)
        self.node.stdout.close()
        self.folder.cleanup()

    def tell(self, line):
        self.node.stdin.write(line + "\n")
        self.node.stdin.flush()
        self.assertEqual(self.node.stdout.readline(), "ok\n")

    def consume(self, *flags, token="secret", status=0):
        """The lines that it prints until it is current."""
        done = subprocess.run(
            [CONSUMER, f"127.0.0.1:{self.port}", f"--token={token}", f"--resume={self.resume}"]
            + ["--consumer=test", "--until-current", *flags],
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.errors = done.stderr
        self.assertEqual(done.returncode, status, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    @staticmethod
    def places(lines):
        return [(line["shard"], line["sequence"]) for line in lines if "sequence" in line]

    def test_every_change_comes_once_over_many_runs(self):
        seen = []
        for i in range(5):
            self.tell(f"write 0 {i + 1}")
            self.tell("write 1 3")
            for line in self.consume(BEGINNING_FLAG):
                self.assertEqual(line["key"], f"7/{line['shard']}/{line['sequence']}")
                self.assertEqual((line["op"], line["value"]), ("set", "vvvvvvvvvv"))
                seen.append((line["shard"], line["sequence"]))
            if i == 2:
                self.tell("restart")
        wanted = [(0, n) for n in range(1, 16)] + [(1, n) for n in range(1, 16)]
        self.assertEqual(sorted(seen), wanted)
        with open(self.resume, encoding="utf-8") as file:
            self.assertEqual(
                json.load(file), {"history": "0000000000000007", "positions": [15, 15]}
            )

    def test_a_snapshot_then_what_comes_after_it(self):
        self.tell("write 0 4")
        self.tell("snapshot 3")
        self.tell("write 0 2")
        lines = self.consume(SNAPSHOT_FLAG)
        entries = [line["key"] for line in lines if line["op"] == "entry"]
        self.assertEqual(entries, [f"snapshot/{shard}/{i}" for shard in (0, 1) for i in range(3)])
        changes = [line for line in lines if line["op"] == "set"]
        self.assertEqual(self.places(changes), [(0, 5), (0, 6)])

    def test_a_crash_and_another_number_of_shards(self):
        self.tell("write 0 4")
        self.assertEqual(len(self.places(self.consume(BEGINNING_FLAG))), 4)
        self.tell("write 0 1")
        self.tell("fork 8 2")
        self.tell("write 0 1")
        self.tell("fork 9 3")
        self.tell("write 2 2")
        lines = [line for line in self.consume() if line["op"] == "set"]
        self.assertEqual(
            [line["key"] for line in lines], ["7/0/5", "8/0/6", "9/2/1", "9/2/2"]
        )

    def test_a_lost_position_is_named_and_nothing_is_skipped(self):
        self.tell("write 1 2")
        self.consume(BEGINNING_FLAG)
        self.tell("write 1 5")
        self.tell("drop")
        self.assertEqual(self.consume(status=1), [])
        self.assertIn("lost of shard 1: 3 to 7", self.errors)

    def test_a_wrong_token_is_refused(self):
        self.assertEqual(self.consume(token="guess", status=1), [])
        self.assertIn("token", self.errors)


if __name__ == "__main__":
    unittest.main()
