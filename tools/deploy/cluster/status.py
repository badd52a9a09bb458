"""status, verify, logs and check: look, and change nothing."""

import os
import signal
import subprocess

from . import decisions
from .failures import Failure, UsageError


def status(running):
    """Processes, then what tidectl shows."""
    states = running.states()
    views = running.views()
    running.say(
        f"{'node':<16} {'role':<8} {'address':<22} {'process':<12} {'pid':>8} {'up (s)':>8} "
        f"{'rss (MiB)':>10}"
    )
    for node in running.file.nodes:
        state, view = states[node.name], views.get(node.name)
        role = view.role if view else "-"
        note = ""
        if state.running and not running.is_up_to_date(node.name, state):
            note = "  older package or settings"
        row = f"{node.name:<16} {role:<8} {node.address:<22} {state.state:<12}"
        if state.running:
            row += f" {state.pid:>8} {state.uptime_s:>8} {state.rss_kb / 1024:>10.1f}"
        running.say((row + note).rstrip())
    running.say("")
    addresses = [node.address for node in running.file.nodes]
    done = _tidectl(running, "status", "--once", *addresses)
    running.say(done.stdout.rstrip("\n"))
    missing = [name for name, state in states.items() if not state.running or name not in views]
    if missing:
        raise Failure(f"{', '.join(missing)}: not running, or not answering")
    if decisions.live_primary(views) is None:
        raise Failure("no node is a primary")


def verify(running, deadline_s):
    """That all nodes hold the same."""
    addresses = [node.address for node in running.file.nodes]
    done = _tidectl(running, "verify", f"--deadline={deadline_s}", *addresses)
    lines = (done.stdout + done.stderr).strip().splitlines() or ["tidectl said nothing"]
    for line in lines[:-1]:
        running.say(line)
    if done.returncode != 0:
        raise Failure(lines[-1])
    running.say(lines[-1])


def logs(running, names, lines, follow):
    """The end of each log, a line after its node's name."""
    for name in names:
        if name not in running.processes:
            raise UsageError(f"{name} is not a node of {running.file.path}")
    names = names or list(running.processes)
    if follow:
        _follow(running, names, lines)
        return
    for name in names:
        for line in running.processes[name].log_end(lines).splitlines():
            running.say(f"{name}: {line}")


def check(running):
    """That the package is there, and that its programs know the settings."""
    package = running.package
    known = {role: _settings_known(package.program(role)) for role in ("primary", "replica")}
    for node in running.file.nodes:
        # A replica may become the primary at any time, so both roles' settings must be right.
        roles = ("primary", "replica") if node.replication_port is not None else (node.role,)
        for role in roles:
            for key in running.file.settings_of(node, role):
                if key not in known[role]:
                    raise UsageError(
                        f"{running.file.path}: nodes.{node.name}: "
                        f"{key} is not a setting of a {role}"
                    )
    running.say(
        f"{running.file.path}: cluster {running.file.name}, {len(running.file.nodes)} nodes, "
        f"package {package.hash}: good"
    )


def _tidectl(running, *words):
    environment = dict(os.environ)
    password = running.password(running.file.nodes[0])
    if password:
        environment["REDISCLI_AUTH"] = password
    return subprocess.run(
        [running.package.program("tidectl"), *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _settings_known(program):
    """The names of the flags in its --help."""
    try:
        done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"{program}: {error.strerror}") from error
    words = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  --")]
    if done.returncode != 0 or not words:
        raise Failure(f"{program} --help tells no settings")
    return {word.removeprefix("--") for word in words}


def _follow(running, names, lines):
    """Until Ctrl-C. One process for each node; sed puts the names in front."""
    followers = []
    try:
        for name in names:
            tail = subprocess.Popen(
                running.processes[name].follow_words(lines),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
            followers.append(tail)
            followers.append(subprocess.Popen(["sed", "-u", f"s/^/{name}: /"], stdin=tail.stdout))
        for follower in followers:
            follower.wait()
    except KeyboardInterrupt:
        pass
    finally:
        for follower in followers:
            if follower.poll() is None:
                follower.send_signal(signal.SIGTERM)
            follower.wait()
