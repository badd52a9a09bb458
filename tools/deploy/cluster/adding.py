"""add-replica: one more node, in the file and in fact."""

import dataclasses

from . import cluster_file
from .failures import Failure


def with_replica(cluster, values):
    """The cluster of the file with `values` added as a node; as it was if that is there."""
    given = {key: value for key, value in values.items() if value is not None}
    values = {"role": "replica"} | given
    present = cluster.node(values["name"])
    if present is None:
        return cluster_file.add_node(cluster, values)
    said = dataclasses.asdict(present)
    for key, value in values.items():
        if key != "role" and said[key] != value:
            raise Failure(
                f"{cluster.path} has a node {values['name']} already, with {key} = {said[key]}"
            )
    return cluster


def start_replica(running, name):
    """Starts it if it does not run, and waits until it has all that the primary has now."""
    primary = running.primary_now()
    if primary == name:
        raise Failure(f"{name} is the primary")
    running.start_and_wait(name, "replica", primary)
    running.record.write(primary)  # On its machine, too.
    running.wait_caught_up(name, primary)
    running.say(f"{name}: caught up with {primary}")
