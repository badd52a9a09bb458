"""up: starts what does not run. down: stops everything."""

from . import decisions
from .failures import Failure, UsageError
from .nodes import NoAnswer


def up(running):
    """Starts every node that does not run, and waits until all serve."""
    states = running.states()
    noted = running.record.read()
    _wait_for_a_primary_that_starts(running, states, noted)
    views = running.views()
    primary = decisions.live_primary(views)
    started = []
    if primary is None:
        primary = decisions.primary_to_start(running.file, views, noted).name
        _refuse_unless_startable(primary, states[primary])
        running.start_and_wait(primary, "primary", primary)
        started.append(primary)
    running.record.write(primary)

    replicas = [node.name for node in running.file.nodes if node.name != primary]
    dead = [name for name in replicas if states[name].state in ("stopped", "died")]
    for name in dead:  # All at once: each may have a whole sync to wait for.
        running.start(name, "replica", primary)
    started += dead
    for name in replicas:
        if states[name].state == "unreachable":
            continue
        # Also those that ran before: they may have had no primary to sync with.
        running.processes[name].wait_until_ready()
        if name in dead:
            running.say(f"{name}: serves as replica")

    unreachable = [name for name in replicas if states[name].state == "unreachable"]
    if unreachable:
        raise Failure(f"cannot reach the machine of {', '.join(unreachable)}; all others serve")
    _tell_what_is_old(running, states, started)
    running.say(
        f"{running.file.name}: all {len(running.file.nodes)} nodes serve, {primary} is the primary"
        + ("" if started else "; nothing to do")
    )


def down(running, names=(), kill=False):
    """Stops the nodes, or all: replicas first, so that none looks for a primary that has gone."""
    for name in names:
        if name not in running.processes:
            raise UsageError(f"{name} is not a node of {running.file.path}")
    states = {
        name: state for name, state in running.states().items() if not names or name in names
    }
    try:
        primary = decisions.live_primary(running.views())
    except decisions.TwoPrimaries:
        primary = None  # Any order is right.
    failed = []
    for name in sorted(states, key=lambda name: name == primary):
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
    now = f"{', '.join(names)} stopped" if names else "no node runs"
    running.say(f"{running.file.name}: {now}")


def _wait_for_a_primary_that_starts(running, states, noted):
    """One that does not answer may be a primary that loads: started as one, or made one since."""
    for name, state in states.items():
        if not state.running or (state.role != "primary" and name != noted):
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
            f"{name} was the primary and its machine cannot be reached: "
            "`failover --force` promotes another"
        )


def _tell_what_is_old(running, states, started):
    for name, state in states.items():
        if name not in started and state.running and not running.is_up_to_date(name, state):
            running.say(
                f"{name}: runs an older package or settings; `rolling-restart` brings it up to date"
            )
