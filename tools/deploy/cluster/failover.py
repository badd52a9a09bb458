"""failover: another node becomes the primary; planned while there is one, else forced."""

import socket
import time

from . import decisions
from .failures import Failure
from .nodes import NoAnswer

# A primary that restarts or is busy for a moment is not lost.
_PATIENCE_S = 3
_PAUSE_MS = 10000  # How long a planned failover may wait for the replica to have everything.
_SWITCH_S = 30


def failover(running, wanted=None, force=False):
    try:
        running.wait(
            lambda: decisions.live_primary(running.views()) is not None, _PATIENCE_S, "no primary"
        )
    except decisions.TwoPrimaries:
        raise
    except Failure:
        forced(running, wanted, force)
        return
    views = running.views()
    primary = running.primary_now(views)
    if wanted == primary:
        running.say(f"{wanted} is the primary; nothing to do")
        return
    planned(running, primary, decisions.chosen_replica(running.file, views, primary, wanted))


class Refused(Failure):
    """The primary does not begin to hand over; everything is as it was."""


def planned(running, primary, target):
    """`primary` hands over to `target`: nothing is lost, or nothing happens."""
    client = running.clients[primary]
    if not client.knows("FAILOVER"):
        raise Refused(
            f"{primary} does not know FAILOVER; `rolling-restart` with newer programs first"
        )
    running.wait_caught_up(target, primary)
    host, port = address_as_seen(client.view(), running.file.node(target))
    began = time.monotonic()
    try:
        client.ask("FAILOVER", "TO", host, port, "TIMEOUT", _PAUSE_MS)
    except NoAnswer:
        raise
    except Failure as error:
        raise Refused(str(error)) from error

    def switched():
        if running.clients[target].view().role == "primary":
            return True
        replication = client.info("replication")
        if (
            replication.get("role") == "master"
            and replication.get("master_failover_state") == "no-failover"
            # Asked again: between the two questions it may have come about.
            and running.clients[target].view().role != "primary"
        ):
            raise Failure(
                f"{primary} gave up handing over to {target} and remains the primary; "
                "its log says why"
            )
        return False

    running.wait(switched, _SWITCH_S, f"{target} has not become the primary")
    running.record.write(target)
    running.say(f"{target}: is the primary, {time.monotonic() - began:.1f} s after it was asked")
    others = [node.name for node in running.file.nodes if node.name not in (primary, target)]
    point_to(running, target, others)
    running.wait_caught_up(primary, target)
    running.say(f"{primary}: follows {target}")


def forced(running, wanted, force):
    """There is no primary. Says what would be lost; with `force`, promotes all the same."""
    views = running.views()
    lost = running.record.read()
    if running.file.node(lost) is None:
        lost = running.file.first_primary().name
    if lost in views:
        lost = None  # It answers, as a replica: there is nobody whose writes would be missing.
    has_log = lost is not None and running.file.node(lost).data_dir is not None
    hope = f"If {lost} can come back, `up` loses nothing on its disk; " if has_log else ""
    try:
        target = decisions.replica_to_promote(running.file, views, lost, wanted)
    except decisions.NoBestReplica as error:
        raise Failure(f"no primary answers. {hope}{error}") from error
    what = f"{target} has applied {list(views[target].position)} of history {views[target].history}"
    running.say(
        f"{what}; what {lost or 'a primary'} acknowledged beyond that is lost by promoting it"
    )
    for name, shard, first, last in decisions.records_lacking(views, target):
        running.say(f"{name} has records {first} to {last} of shard {shard}, which {target} lacks")
    if not force:
        raise Failure(
            f"no primary answers. {hope}`failover {target} --force` promotes {target}"
        )
    if lost is not None:
        _fence(running, lost)
    _promote(running, target)
    running.record.write(target)
    running.say(f"{target}: is the primary")
    point_to(running, target, [name for name in views if name not in (target, lost)])
    if lost is not None:
        running.say(f"{lost}: `up` starts it as a replica of {target}")


def _promote(running, target):
    """While it runs; or, if it does not change its role then and has a log, by a start on that log."""
    try:
        running.clients[target].ask("REPLICAOF", "NO", "ONE", timeout_s=_SWITCH_S)
    except NoAnswer:
        raise
    except Failure as error:
        if running.file.node(target).data_dir is None:
            raise
        running.say(f"{target}: is restarted on its log: {error}")
        running.send_package(target)
        running.stop(target)
        running.start_and_wait(target, "primary", target)
    running.wait(
        lambda: running.clients[target].view().role == "primary",
        _SWITCH_S,
        f"{target} has not become the primary",
    )


def point_to(running, primary, names):
    """Makes the nodes that answer replicas of `primary`, and waits until they are caught up."""
    node = running.file.node(primary)
    told = []
    for name in names:
        try:
            running.clients[name].ask("REPLICAOF", node.host, node.replication_port)
            told.append(name)
        except NoAnswer as error:
            running.say(f"{name}: cannot be told to follow {primary}: {error}")
        except Failure as error:
            running.say(f"{name}: is restarted to follow {primary}: {error}")
            running.stop(name)
            running.start_and_wait(name, "replica", primary)
            told.append(name)
    for name in told:
        running.wait_caught_up(name, primary)
        running.say(f"{name}: follows {primary}")


def address_as_seen(view, node):
    """How the primary calls the replica: by where it comes from, which need not be the file's."""
    seen = [replica.get("addr", "").rpartition(":") for replica in view.replicas]
    hosts = [host.strip("[]") for host, _, port in seen if port == str(node.port)]
    try:
        named = {info[4][0] for info in socket.getaddrinfo(node.host, None)}
    except OSError:
        named = set()
    same = [host for host in hosts if host in named | {node.host}]
    if not same and len(hosts) == 1:
        same = hosts
    return (same[0] if same else node.host), node.port


def _fence(running, lost):
    """The old primary must not go on acknowledging writes that nobody will ever see."""
    state = running.states()[lost]
    if state.state == "unreachable":
        running.say(
            f"{lost}: its machine cannot be reached; if it still runs, clients there write what is "
            "lost when it comes back"
        )
    elif state.running and running.processes[lost].stop("KILL"):
        running.say(f"{lost}: ran and did not answer; killed")
