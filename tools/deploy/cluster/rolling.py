"""rolling-restart: every node anew, one after the other, and no acknowledged write is lost."""

import time

from . import decisions
from .failover import Refused, planned
from .failures import Failure


def rolling_restart(running, only_changed=False, replicas_only=False):
    states, views = running.states(), running.views()
    away = [name for name, state in states.items() if not state.running or name not in views]
    if away:
        raise Failure(f"{', '.join(away)}: not running or not answering; `up` first")
    primary = running.primary_now(views)
    due = [
        name
        for name, state in states.items()
        if (name != primary or not replicas_only)
        and not (only_changed and running.is_up_to_date(name, state))
    ]
    if primary in due:
        _refuse_to_lose_everything(running, views, primary)

    for name in due:
        running.send_package(name)
    for name in running.processes:
        if name != primary:
            running.wait_caught_up(name, primary)
    for name in due:
        if name != primary:
            _restart_replica(running, name, primary)
    if primary in due:
        _restart_primary(running, primary)
    running.prune_packages()
    running.say(f"{running.file.name}: restarted {', '.join(due) or 'nothing: all are up to date'}")


def _refuse_to_lose_everything(running, views, primary):
    """Before anything is touched."""
    has_log = running.file.node(primary).data_dir is not None
    if not has_log and not _could_hand_over(running, views, primary):
        raise Failure(
            f"{primary} has no data_dir and nobody to hand over to: "
            "a restart would lose everything; --replicas-only leaves it out"
        )


def _could_hand_over(running, views, primary):
    knows = running.clients[primary].knows("FAILOVER")
    return knows and bool(decisions.candidates(running.file, views, primary))


def _restart_primary(running, primary):
    """As a replica of whom it has handed over to; in place, if it does not and has a log."""
    views = running.views()
    if _could_hand_over(running, views, primary):
        target = decisions.best_replica(running.file, views, primary)
        try:
            planned(running, primary, target)
            _restart_replica(running, primary, target)
            return
        except Refused as error:
            if running.file.node(primary).data_dir is None:
                raise
            running.say(f"{primary}: does not hand over: {error}")
    _restart_in_place(running, primary)


def _restart_replica(running, name, primary):
    running.stop(name)
    running.start_and_wait(name, "replica", primary)
    running.wait_caught_up(name, primary)
    running.say(f"{name}: caught up with {primary}")


def _restart_in_place(running, primary):
    began = time.monotonic()
    running.stop(primary)
    running.start_and_wait(primary, "primary", primary)
    away_s = time.monotonic() - began
    running.say(f"{primary}: restarted in place; clients were cut for {away_s:.1f} s")
    for name in running.processes:
        if name != primary:
            running.wait_caught_up(name, primary)
    running.say(f"{primary}: all replicas are caught up with it")
