"""What to do, from what is known: no I/O. Tested without a node.

`views` maps the names of nodes that answer to their nodes.View.
"""

from .failures import Failure


class TwoPrimaries(Failure):
    """Which of them is right cannot be decided here."""


def live_primary(views):
    """The name of the node that is a primary now, or None."""
    found = [name for name, view in views.items() if view.role == "primary"]
    if len(found) > 1:
        raise TwoPrimaries(
            f"{' and '.join(sorted(found))} are both primaries: stop the one that should not be, "
            "then `up` starts it as a replica"
        )
    return found[0] if found else None


def primary_to_start(cluster, views, noted):
    """Which node is to be started as the primary, while none is one. `noted`: who was the last."""
    node = cluster.node(noted) if noted else None
    node = node or cluster.first_primary()
    if node.name in views:
        raise Failure(
            f"no node is a primary, and {node.name}, which was, runs as a replica: "
            f"`failover {node.name} --force` makes it one again"
        )
    holders = sorted(name for name, view in views.items() if view.records > 0)
    if node.data_dir is None and holders:
        raise Failure(
            f"{node.name} was the primary and has no data_dir, so it would come up empty, while "
            f"{', '.join(holders)} still hold data: `failover --force` promotes the best of them"
        )
    return node


def candidates(cluster, views, primary):
    """Replicas that could become the primary."""
    return {
        name: view
        for name, view in views.items()
        if name != primary
        and view.role == "replica"
        and cluster.node(name).replication_port is not None
    }


def _of_common_history(cluster, views, primary):
    """The candidates that others can be measured by, in the file's order.

    Of several histories, the one that most replicas have counts: a replica that never followed
    the last primary may have large numbers that mean nothing.
    """
    possible = candidates(cluster, views, primary)
    if not possible:
        raise Failure(
            "no replica can become the primary: none answers that has a replication_port"
        )
    histories = [view.history for view in possible.values()]
    common = views[primary].history if primary in views else max(histories, key=histories.count)
    found = [
        node.name
        for node in cluster.nodes
        if node.name in possible and possible[node.name].history == common
    ]
    return found or [node.name for node in cluster.nodes if node.name in possible]


def best_replica(cluster, views, primary):
    """Whom a primary that lives hands over to: the one that has the least to wait for.

    It has applied the most; the file's order decides between equals. Not the rule for a primary
    that is lost: see replica_to_promote().
    """
    possible = _of_common_history(cluster, views, primary)
    return max(possible, key=lambda name: views[name].records)  # The first of equals.


class NoBestReplica(Failure):
    """Each has applied what another lacks: which of it to lose cannot be decided here."""


def covering(views, names):
    """The first of `names` whose position covers those of the others, or None."""
    return next(
        (name for name in names if all(views[name].has_all_of(views[other]) for other in names)),
        None,
    )


def replica_to_promote(cluster, views, lost, wanted):
    """Who takes the place of a primary that is gone: `wanted`, else the one that has all that others have.

    A sum over shards would not tell: a replica that is ahead on one shard may lack acknowledged
    writes on another.
    """
    if wanted is not None:
        return chosen_replica(cluster, views, lost, wanted)
    possible = _of_common_history(cluster, views, lost)
    best = covering(views, possible)
    if best is not None:
        return best
    # Who has no more than another is no choice.
    ahead = [
        name
        for name in possible
        if not any(
            views[other].has_all_of(views[name]) and not views[name].has_all_of(views[other])
            for other in possible
        )
    ]
    lacks = [
        f"{name} lacks records {first} to {last} of shard {shard}, which {other} has"
        for name in ahead
        for other, shard, first, last in records_lacking(views, name)
        if other in ahead
    ]
    raise NoBestReplica(
        f"no replica has all that the others have: {'; '.join(lacks)}. Promoting one loses what "
        "only another has: say whom with "
        + " or ".join(f"`failover {name} --force`" for name in ahead)
    )


def chosen_replica(cluster, views, primary, wanted):
    """`wanted` if it can become the primary, else a Failure; best_replica() if none is wanted."""
    if wanted is None:
        return best_replica(cluster, views, primary)
    if cluster.node(wanted) is None:
        raise Failure(f"{wanted} is not a node of {cluster.path}")
    if wanted == primary:
        raise Failure(f"{wanted} is the primary")
    if cluster.node(wanted).replication_port is None:
        raise Failure(f"{wanted} has no replication_port: it could serve no replicas")
    if wanted not in views:
        raise Failure(f"{wanted} does not answer")
    return wanted


def records_lacking(views, name):
    """What other replicas have applied and `name` has not: [(node, shard, first, last)]."""
    mine = views[name]
    lacking = []
    for other, view in views.items():
        if other == name or view.history != mine.history:
            continue
        for shard, (have, theirs) in enumerate(zip(mine.position, view.position)):
            if theirs > have:
                lacking.append((other, shard, have + 1, theirs))
    return lacking

