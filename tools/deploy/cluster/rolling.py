"""rolling-restart: every node anew, one after the other, and nothing that was acknowledged is lost."""

import time

from . import decisions
from .failover import planned
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
        if not (only_changed and running.is_up_to_date(name, state))
    ]
    # Found out before anything is touched.
    hand_over = None
    if primary in due and not replicas_only:
        hand_over = _can_hand_over(running, views, primary)

    for name in due:
        running.send_package(name)
    for name in running.processes:
        if name != primary:
            running.wait_caught_up(name, primary)
    for name in due:
        if name != primary:
            _restart_replica(running, name, primary)
    if primary in due and not replicas_only:
        if hand_over:
            target = decisions.best_replica(running.file, running.views(), primary)
            planned(running, primary, target)
            _restart_replica(running, primary, target)
        else:
            _restart_in_place(running, primary)
    running.prune_packages()
    restarted = [name for name in due if name != primary or not replicas_only]
    running.say(f"{running.file.name}: restarted {', '.join(restarted) or 'nothing: all are up to date'}")


def _can_hand_over(running, views, primary):
    """Whether the primary's turn needs no break; Failure if it could not be restarted at all."""
    if running.clients[primary].knows("FAILOVER") and decisions.candidates(
        running.file, views, primary
    ):
        return True
    if running.file.node(primary).data_dir is None:
        raise Failure(
            f"{primary} has no data_dir and nobody to hand over to: a restart would lose everything; "
            "--replicas-only leaves it out"
        )
    return False


def _restart_replica(running, name, primary):
    running.stop(name)
    running.start_and_wait(name, "replica", primary)
    running.wait_caught_up(name, primary)
    running.say(f"{name}: caught up with {primary}")


def _restart_in_place(running, primary):
    began = time.monotonic()
    running.stop(primary)
    running.start_and_wait(primary, "primary", primary)
    running.say(f"{primary}: restarted in place; clients were cut for {time.monotonic() - began:.1f} s")
    for name in running.processes:
        if name != primary:
            running.wait_caught_up(name, primary)
    running.say(f"{primary}: all replicas are caught up with it")
