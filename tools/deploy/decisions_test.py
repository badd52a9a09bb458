"""Who is started as what, and who is the best replica."""

import unittest

from cluster import cluster_file, decisions
from cluster.failures import Failure
from cluster.nodes import NoAnswer, View, read_view

FILE = """\
[cluster]
name = "demo"
package = "package"
[[nodes]]
name = "a"
role = "primary"
port = 1001
data_dir = "/a"
[[nodes]]
name = "b"
role = "replica"
port = 1002
replication_port = 2002
[[nodes]]
name = "c"
role = "replica"
port = 1003
replication_port = 2003
[[nodes]]
name = "d"
role = "replica"
port = 1004
"""
CLUSTER = cluster_file.parse(FILE, "demo.toml")


def primary(*position):
    return View("primary", "h", position)


def replica(*position, history="h"):
    return View("replica", history, position)


class DecisionsTest(unittest.TestCase):
    def test_two_primaries_are_named(self):
        views = {"a": primary(1), "b": primary(1), "c": replica(1)}
        with self.assertRaisesRegex(Failure, "^a and b are both primaries"):
            decisions.live_primary(views)

    def test_the_last_primary_is_started_and_at_first_the_file_s(self):
        self.assertEqual(decisions.primary_to_start(CLUSTER, {}, None).name, "a")
        self.assertEqual(decisions.primary_to_start(CLUSTER, {}, "b").name, "b")
        # It has been taken out of the file since.
        self.assertEqual(decisions.primary_to_start(CLUSTER, {}, "z").name, "a")

    def test_no_empty_primary_over_replicas_that_hold_data(self):
        views = {"c": replica(0, 7), "d": replica(0, 0)}
        self.assertEqual(decisions.primary_to_start(CLUSTER, views, "a").name, "a")
        with self.assertRaisesRegex(Failure, "^b was the primary and has no .* while c still"):
            decisions.primary_to_start(CLUSTER, views, "b")
        self.assertEqual(decisions.primary_to_start(CLUSTER, {"c": replica(0, 0)}, "b").name, "b")

    def test_a_primary_that_became_a_replica_is_not_started_again(self):
        with self.assertRaisesRegex(Failure, "a, which was, runs as a replica"):
            decisions.primary_to_start(CLUSTER, {"a": replica(1)}, "a")

    def test_who_is_handed_over_to_has_applied_the_most_and_can_serve_others(self):
        views = {"b": replica(5, 5), "c": replica(9, 2), "d": replica(99, 99)}
        self.assertEqual(decisions.best_replica(CLUSTER, views, "a"), "c")
        views["b"] = replica(9, 2)
        self.assertEqual(decisions.best_replica(CLUSTER, views, "a"), "b")

    def test_numbers_of_another_history_do_not_count(self):
        views = {"a": primary(9, 9), "b": replica(999, 9, history="old"), "c": replica(1, 1)}
        self.assertEqual(decisions.best_replica(CLUSTER, views, "a"), "c")

    def promoted(self, views, wanted=None):
        return decisions.replica_to_promote(CLUSTER, views, "a", wanted)

    def test_who_is_promoted_has_all_that_others_have(self):
        self.assertEqual(self.promoted({"b": replica(5, 5), "c": replica(5, 6)}), "c")
        self.assertEqual(self.promoted({"b": replica(5, 6), "c": replica(5, 5)}), "b")
        self.assertEqual(self.promoted({"b": replica(5, 5), "c": replica(5, 5)}), "b")
        # What could serve nobody is no choice, however far it is.
        self.assertEqual(self.promoted({"b": replica(5, 5), "d": replica(9, 9)}), "b")

    def test_nobody_is_promoted_by_the_sum_of_what_it_has(self):
        views = {"b": replica(5, 5), "c": replica(9, 2)}
        with self.assertRaisesRegex(decisions.NoBestReplica, "^no replica has all") as raised:
            self.promoted(views)
        said = str(raised.exception)
        self.assertIn("b lacks records 6 to 9 of shard 0, which c has", said)
        self.assertIn("c lacks records 3 to 5 of shard 1, which b has", said)
        self.assertIn("`failover b --force` or `failover c --force`", said)
        self.assertEqual(self.promoted(views, "b"), "b")

    def test_who_is_promoted_is_of_the_history_that_most_have(self):
        three = FILE + 'replication_port = 2004\n'
        cluster = cluster_file.parse(three, "demo.toml")
        views = {"b": replica(9, 9, history="old"), "c": replica(1, 1), "d": replica(1, 2)}
        self.assertEqual(decisions.replica_to_promote(cluster, views, "a", None), "d")
        # One that has less than another is not offered.
        views = {"b": replica(3, 1), "c": replica(1, 1), "d": replica(1, 2)}
        with self.assertRaisesRegex(Failure, "say whom with `failover b --force` or `failover d"):
            decisions.replica_to_promote(cluster, views, "a", None)

    def test_who_cannot_become_the_primary(self):
        views = {"a": primary(1), "b": replica(1), "d": replica(1)}
        for wanted, why in (
            ("d", "has no replication_port"),
            ("c", "does not answer"),
            ("a", "is the primary"),
            ("z", "is not a node"),
        ):
            with self.assertRaisesRegex(Failure, f"^{wanted} {why}"):
                decisions.chosen_replica(CLUSTER, views, "a", wanted)
        self.assertEqual(decisions.chosen_replica(CLUSTER, views, "a", "b"), "b")
        with self.assertRaisesRegex(Failure, "none answers that has a replication_port"):
            decisions.chosen_replica(CLUSTER, {"d": replica(1)}, "a", None)

    def test_records_that_another_replica_has_are_named(self):
        views = {"b": replica(5, 5), "c": replica(9, 2), "d": replica(9, 9, history="old")}
        self.assertEqual(decisions.records_lacking(views, "b"), [("c", 0, 6, 9)])
        self.assertEqual(decisions.records_lacking(views, "c"), [("b", 1, 3, 5)])


class ViewTest(unittest.TestCase):
    def test_positions_are_what_others_are_measured_by(self):
        flat = ["role", "primary", "history", "h", "assigned", [3, 4], "emitted", [2, 4], "new", 1]
        self.assertEqual(read_view(flat + ["replicas", [["id", 1, "addr", "x"]]]).position, (2, 4))
        flat = ["role", "replica", "history", "h", "received", [3, 4], "applied", [1, 4]]
        self.assertEqual(read_view(flat), replica(1, 4))

    def test_what_is_no_node_of_ours_is_told(self):
        for reply in ("OK", None, 7, [], ["role", "primary"], ["role", "replica", "history", "h"]):
            with self.assertRaises(NoAnswer):
                read_view(reply)

    def test_positions_compare_within_a_history_alone(self):
        self.assertTrue(replica(2, 3).has_all_of(primary(2, 3)))
        self.assertFalse(replica(3, 2).has_all_of(primary(2, 3)))
        self.assertFalse(replica(9, 9, history="other").has_all_of(primary(2, 3)))
        self.assertFalse(replica(2, 3, 4).has_all_of(primary(2, 3)))


if __name__ == "__main__":
    unittest.main()
