"""The cluster file: what it means, and how it is refused."""

import os
import tempfile
import tomllib
import unittest

from cluster import cluster_file
from cluster.failures import UsageError
from cluster.settings_file import settings_file, toml_value
from cluster.toml_places import key_lines

GOOD = """\
[cluster]
name = "demo"
package = "package"

[settings]
shards = 2
fsync = "interval"

[primary_settings]
fsync = "always"

[[nodes]]
name = "a"
role = "primary"
port = 6379
data_dir = "/data/a/"

[[nodes]]
name = "b"
role = "replica"
port = 6380
settings = { shards = 1, requirepass = "a\\"b" }
"""


def edited(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


class ClusterFileTest(unittest.TestCase):
    def test_keys_and_defaults(self):
        cluster = cluster_file.parse(GOOD, "/etc/demo.toml")
        self.assertEqual((cluster.name, cluster.package), ("demo", "/etc/package"))
        self.assertEqual(cluster.directory, "/var/lib/tidemark/demo")
        a, b = cluster.nodes
        self.assertEqual((a.address, a.replication_port), ("127.0.0.1:6379", 7631))
        self.assertEqual((b.address, b.replication_port), ("127.0.0.1:6380", None))
        self.assertEqual((a.data_dir, b.data_dir), ("/data/a", None))

    def test_a_role_goes_before_both_and_a_node_before_the_cluster(self):
        cluster = cluster_file.parse(GOOD, "demo.toml")
        a, b = cluster.nodes
        self.assertEqual(cluster.settings_of(a, "primary"), {"shards": 2, "fsync": "always"})
        self.assertEqual(cluster.settings_of(a, "replica"), {"shards": 2, "fsync": "interval"})
        self.assertEqual(cluster.settings_of(b, "replica")["shards"], 1)

    def test_the_settings_file_of_a_replica(self):
        cluster = cluster_file.parse(GOOD, "demo.toml")
        a, b = cluster.nodes
        values = tomllib.loads(settings_file(cluster, b, "replica", a))
        wanted = {"shards": 1, "fsync": "interval", "requirepass": 'a"b', "port": 6380}
        self.assertEqual(values, wanted | {"primary": "127.0.0.1:7631"})

    def test_a_setting_may_hold_any_text(self):
        for text in ('"', "\\", "a\nb\tc", "käse", "\x00\x7f", "#"):
            self.assertEqual(tomllib.loads(f"x = {toml_value(text)}"), {"x": text})

    def test_refusals_name_file_line_and_key(self):
        for old, new, wanted in (
            ('name = "demo"', 'name = "Demo"', "demo.toml:2: cluster.name: must be lower-case"),
            ('name = "demo"', 'nam = "demo"', "demo.toml:2: cluster.nam: not a key; there"),
            ('name = "demo"\n', "", "demo.toml:1: cluster.name: is missing"),
            ("[cluster]", "[claster]", "demo.toml:1: claster: not a key; there are: cluster,"),
            ("shards = 2", "port = 2", "demo.toml:6: settings.port: must be a key of the node"),
            ("shards = 2", "Shards = 2", "demo.toml:6: settings.Shards: must be named as"),
            ("shards = 2", "shards = [2]", "demo.toml:6: settings.shards: must be a string"),
            ("shards = 1", "primary = 1", "demo.toml:22: nodes.2.settings.primary: must be"),
            ("port = 6379", "port = 0", "demo.toml:15: nodes.1.port: must be a whole number"),
            ("port = 6379", "port = true", "demo.toml:15: nodes.1.port: must be a whole number"),
            ("port = 6380", "port = 6379", "demo.toml:21: nodes.2.port: taken by node a"),
            ("port = 6380", "port = 7631", "demo.toml:21: nodes.2.port: taken by node a"),
            ("port = 6379", "port = 7631", "demo.toml:12: nodes.1.replication_port: must"),
            ('name = "b"', 'name = "a"', "demo.toml:19: nodes.2.name: taken by node a"),
            ('role = "replica"', 'role = "primary"', "demo.toml:20: nodes.2.role: a second"),
            ('role = "primary"', 'role = "replica"', "demo.toml:12: nodes: none has the role"),
            ('role = "primary"', 'role = "king"', "demo.toml:14: nodes.1.role: must be primary or"),
            ('"/data/a/"', '"data"', "demo.toml:16: nodes.1.data_dir: must be an absolute path"),
            ('port = 6380', 'port = 6380\ndata_dir = "/data/a"', "demo.toml:22: nodes.2.data_dir:"),
            ('port = 6380', 'port = 6380\nssh = "-oX"', "demo.toml:22: nodes.2.ssh: must be"),
            ('port = 6380', 'port = 6380\nhost = "10.0.0.2"', "demo.toml:22: nodes.2.host: the"),
            ("shards = 2", "shards = ", "demo.toml: Invalid value (at line 6"),
        ):
            with self.subTest(new):
                with self.assertRaises(UsageError) as refused:
                    cluster_file.parse(edited(old, new), "demo.toml")
                self.assertTrue(str(refused.exception).startswith(wanted), str(refused.exception))

    def test_two_machines_may_use_the_same_directory(self):
        text = edited("port = 6380", 'port = 6380\ndata_dir = "/data/a"\nssh = "tide@far"')
        self.assertEqual(cluster_file.parse(text, "demo.toml").nodes[1].data_dir, "/data/a")

    def test_an_added_node_is_read_back_and_a_wrong_one_changes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "demo.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(GOOD)
            cluster = cluster_file.read(path)
            changed = cluster_file.add_node(cluster, {"name": "c", "role": "replica", "port": 6381})
            self.assertEqual(cluster_file.read(path), changed)
            self.assertEqual([node.name for node in changed.nodes], ["a", "b", "c"])
            with self.assertRaises(UsageError):
                cluster_file.add_node(changed, {"name": "d", "role": "replica", "port": 6381})
            self.assertEqual(cluster_file.read(path), changed)
            self.assertEqual(os.listdir(folder), ["demo.toml"])

    def test_a_file_that_cannot_be_read(self):
        with self.assertRaisesRegex(UsageError, "^/no/such: No such file"):
            cluster_file.read("/no/such")


class KeyLinesTest(unittest.TestCase):
    def test_values_that_span_lines_and_tables_below_arrays(self):
        text = '# [x]\na = """\n[b]\nc = 1\n"""\nd = [\n  1,\n]\n'
        text += '[[n]]\n[n.s]\nk = { q = 1 }\n[[n]]\n"a b".c = 1\n'
        tomllib.loads(text)
        self.assertEqual(
            key_lines(text),
            {
                ("a",): 2,
                ("d",): 6,
                ("n",): 9,
                ("n", 0): 9,
                ("n", 0, "s"): 10,
                ("n", 0, "s", "k"): 11,
                ("n", 0, "s", "k", "q"): 11,
                ("n", 1): 12,
                ("n", 1, "a b"): 13,
                ("n", 1, "a b", "c"): 13,
            },
        )


if __name__ == "__main__":
    unittest.main()
