"""up: starts what does not run. down: stops everything."""

from . import decisions
from .failures import Failure
from .nodes import NoAnswer


def up(running):
    """Starts every node that does not run, and waits until all serve."""
    states = running.states()
    started = []
    _wait_for_those_that_start(running, states)
    views = running.views()
    primary = decisions.live_primary(views)
    if primary is None:
        primary = decisions.primary_to_start(running.file, views, running.record.read()).name
        _refuse_unless_startable(primary, states[primary])
        running.start_and_wait(primary, "primary", primary)
        started.append(primary)
    running.record.write(primary)

    replicas = [node.name for node in running.file.nodes if node.name != primary]
    dead = [name for name in replicas if states[name].state in ("stopped", "died")]
    for name in dead:  # All at once: each may have a whole sync to wait for.
        running.start(name, "replica", primary)
    for name in dead:
        running.processes[name].wait_until_ready()
        running.say(f"{name}: serves as replica")
    started += dead

    unreachable = [name for name in replicas if states[name].state == "unreachable"]
    if unreachable:
        raise Failure(f"cannot reach the machine of {', '.join(unreachable)}; all others serve")
    _tell_what_is_old(running, states, started)
    running.say(
        f"{running.file.name}: all {len(running.file.nodes)} nodes serve, {primary} is the primary"
        + ("" if started else "; nothing to do")
    )


def down(running, kill=False):
    """Stops every node: replicas first, so that none looks for a primary that has gone."""
    states = running.states()
    try:
        primary = decisions.live_primary(running.views())
    except Failure:
        primary = None  # Two of them: any order is right.
    names = sorted(states, key=lambda name: name == primary)
    failed = []
    for name in names:
        if states[name].state == "unreachable":
            failed.append(f"{name}: its machine cannot be reached")
            continue
        if not states[name].running:
            continue
        process = running.processes[name]
        if process.stop():
            running.say(f"{name}: stopped")
        elif kill and process.stop("KILL"):
            running.say(f"{name}: killed after {running.file.stop_timeout_s} s")
        else:
            failed.append(f"{name}: still runs after {running.file.stop_timeout_s} s")
    if failed:
        raise Failure("; ".join(failed))
    running.say(f"{running.file.name}: no node runs")


def _wait_for_those_that_start(running, states):
    """A node that runs and does not answer yet may be loading: whether it is a primary is known only then."""
    for name, state in states.items():
        if not state.running:
            continue
        try:
            running.clients[name].view()
        except NoAnswer:
            running.say(f"{name}: runs and does not answer yet")
            running.processes[name].wait_until_ready()
            running.wait(
                lambda name=name: running.clients[name].view() is not None,
                running.file.ready_timeout_s,
                f"{name} runs and does not answer",
            )


def _refuse_unless_startable(name, state):
    if state.state == "unreachable":
        raise Failure(
            f"{name} was the primary and its machine cannot be reached: `failover --force` promotes another"
        )


def _tell_what_is_old(running, states, started):
    for name, state in states.items():
        if name not in started and state.running and not running.is_up_to_date(name, state):
            running.say(
                f"{name}: runs an older package or settings; `rolling-restart` brings it up to date"
            )
