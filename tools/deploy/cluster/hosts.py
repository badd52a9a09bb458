"""Runs a command on a node's machine: this one, or another over ssh. All else is the same for both.

A Host is asked to run a list of words, as subprocess is; what it runs sees exactly these words.
"""

import dataclasses
import os
import shlex
import subprocess
import tempfile

from .failures import Failure

_RUN_TIMEOUT_S = 120
_CONNECT_TIMEOUT_S = 10
# ssh's own failures; what it runs may exit with it as well, but ours do not.
_SSH_FAILED = 255


class Unreachable(Failure):
    """The machine cannot be reached: nothing is known about its nodes."""


@dataclasses.dataclass(frozen=True)
class Result:
    status: int
    output: bytes
    errors: bytes

    def text(self):
        """The output; Failure with the last line of errors if it did not succeed."""
        if self.status != 0:
            lines = self.errors.decode(errors="replace").strip().splitlines()
            raise Failure(lines[-1] if lines else f"exit status {self.status}")
        return self.output.decode(errors="replace").strip()


class LocalHost:
    name = "this machine"

    def words(self, words):
        """What a local process is made of to run `words` there."""
        return list(words)

    def run(self, words, content=b""):
        """Runs `words` with `content` on stdin."""
        return _run(self.words(words), content, self.name)


class SshHost:
    """`destination` is what ssh is given.

    The first command opens a connection that the others share, and that stays for a minute after
    the last. BatchMode: a question for a password would wait for ever where nobody is there.
    """

    def __init__(self, destination, program="ssh", control_dir=None):
        self.name = destination
        self._ssh = [
            program,
            "-o",
            "BatchMode=yes",
            "-o",
            f"ConnectTimeout={_CONNECT_TIMEOUT_S}",
            "-o",
            "ServerAliveInterval=5",
            "-o",
            "ControlMaster=auto",
            "-o",
            f"ControlPath={control_dir or private_directory()}/%C",
            "-o",
            "ControlPersist=60",
            destination,
        ]

    def words(self, words):
        # ssh joins its words with blanks and the other side's shell takes them apart again.
        return [*self._ssh, "--", shlex.join(words)]

    def run(self, words, content=b""):
        result = _run(self.words(words), content, self.name)
        if result.status == _SSH_FAILED:
            lines = result.errors.decode(errors="replace").strip().splitlines() or ["ssh failed"]
            raise Unreachable(f"{self.name}: {lines[-1]}")
        return result


def host_of(node):
    """Where the node runs. TIDECLUSTER_SSH names another program than ssh, as GIT_SSH does."""
    if node.ssh is None:
        return LocalHost()
    return SshHost(node.ssh, os.environ.get("TIDECLUSTER_SSH", "ssh"))


def private_directory():
    """For locks and shared connections' sockets: whoever can write there could take these over."""
    path = os.path.join(
        os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir()), f"tidecluster-{os.getuid()}"
    )
    os.makedirs(path, mode=0o700, exist_ok=True)
    status = os.lstat(path)
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or os.path.islink(path):
        raise Failure(f"{path}: must be a directory of this user's alone")
    return path


def _run(words, content, name):
    try:
        done = subprocess.run(
            words, input=content, capture_output=True, timeout=_RUN_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise Failure(f"{words[0]}: not found") from error
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{name}: no answer in {_RUN_TIMEOUT_S} s") from error
    return Result(done.returncode, done.stdout, done.stderr)
