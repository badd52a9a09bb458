"""The words of the command line, what they do, and the exit status."""

import argparse
import contextlib
import fcntl
import hashlib
import os
import sys

from . import adding, cluster_file, failover, rolling, starting, status, systemd
from .running import RunningCluster
from .failures import Failure, UsageError
from .hosts import private_directory

_LOOKS = ("check", "status", "logs", "verify")  # May run beside a command that changes something.


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(f"{message}; tidecluster --help shows the usage")


def _parser():
    parser = _Parser(
        prog="tidecluster",
        description="Runs a Tidemark cluster as its file describes it: docs/deployment.md.",
        allow_abbrev=False,
    )
    parser.add_argument("--file", default="cluster.toml", help="the cluster file (cluster.toml)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, summary):
        return commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)

    command("check", "reads the cluster file, and asks the programs which settings they know")
    command("up", "starts every node that does not run")
    down = command("down", "stops every node, or those that are named")
    down.add_argument("nodes", nargs="*", metavar="NODE")
    down.add_argument("--kill", action="store_true", help="ends those that do not stop in time")
    command("status", "processes, roles, positions and lags")
    logs = command("logs", "the end of the nodes' logs")
    logs.add_argument("nodes", nargs="*", metavar="NODE")
    logs.add_argument("--lines", type=_count, default=20, help="of each node (20)")
    logs.add_argument("--follow", action="store_true", help="goes on until Ctrl-C")
    restart = command("rolling-restart", "restarts node after node; nothing acknowledged is lost")
    restart.add_argument(
        "--only-changed", action="store_true", help="those with an older package or settings"
    )
    restart.add_argument("--replicas-only", action="store_true", help="not the primary")
    fail = command("failover", "makes another node the primary")
    fail.add_argument("node", nargs="?", metavar="NODE", help="default: the most advanced replica")
    fail.add_argument(
        "--force", action="store_true", help="even if what only the old primary has is lost"
    )
    add = command("add-replica", "adds a node to the cluster file and starts it")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--port", type=int, required=True)
    add.add_argument("--host")
    add.add_argument("--ssh")
    add.add_argument("--replication-port", type=int)
    add.add_argument("--data-dir")
    verify = command("verify", "proves that all nodes hold the same")
    verify.add_argument(
        "--deadline", type=_count, default=30, help="seconds to wait until they are even (30)"
    )
    units = command("systemd", "writes units and settings for systemd to run the nodes")
    units.add_argument("--into", required=True, metavar="DIR")
    return parser


def _count(text):
    if not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to 1000000")
    return int(text)


def _run(arguments):
    cluster = cluster_file.read(arguments.file)
    with contextlib.ExitStack() as stack:
        if arguments.command not in _LOOKS:
            stack.enter_context(_only_one(arguments.file))
        if arguments.command == "add-replica":
            cluster = adding.with_replica(
                cluster,
                {
                    "name": arguments.name,
                    "host": arguments.host,
                    "ssh": arguments.ssh,
                    "port": arguments.port,
                    "replication_port": arguments.replication_port,
                    "data_dir": arguments.data_dir,
                },
            )
        running = RunningCluster(cluster, say=lambda line: print(line, flush=True))
        {
            "check": lambda: status.check(running),
            "up": lambda: starting.up(running),
            "down": lambda: starting.down(running, arguments.nodes, arguments.kill),
            "status": lambda: status.status(running),
            "logs": lambda: status.logs(
                running, arguments.nodes, arguments.lines, arguments.follow
            ),
            "rolling-restart": lambda: rolling.rolling_restart(
                running, arguments.only_changed, arguments.replicas_only
            ),
            "failover": lambda: failover.failover(running, arguments.node, arguments.force),
            "add-replica": lambda: adding.start_replica(running, arguments.name),
            "verify": lambda: status.verify(running, arguments.deadline),
            "systemd": lambda: systemd.write(running, arguments.into),
        }[arguments.command]()


@contextlib.contextmanager
def _only_one(path):
    """Two commands that change the same cluster at once would undo each other's work."""
    name = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:16]
    with open(os.path.join(private_directory(), f"{name}.lock"), "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(f"another tidecluster works on {path}") from error
        yield


def main(words=None):
    """Runs one command; the exit status."""
    try:
        _run(_parser().parse_args(words))
    except Failure as failure:
        print(f"tidecluster: {failure}", file=sys.stderr)
        return failure.exit_status
    except KeyboardInterrupt:
        print("tidecluster: interrupted; what was started goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Else Python complains when it ends.
        return 1
    return 0
