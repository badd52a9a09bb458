"""A node that says and does what tidecluster relies on, and keeps no data: a stand-in for tests.

    fake_node.py ROLE --config=FILE

Its settings are those of a node and, besides: `position = "3 4"`, where it stands at the start;
`refuse_failover = true`, a primary that gives up handing over; `no_failover = true`, one that does
not change its role.
"""

import os
import signal
import socketserver
import sys
import threading
import tomllib

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from cluster.resp import Connection  # noqa: E402  The path comes first.

KNOWN = ("FAILOVER", "REPLICAOF", "TIDE", "INFO", "ROLE", "COMMAND")


def encode(reply):
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(encode, reply))
    if reply is None:
        return b"*-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if reply.startswith("ERR"):
        return b"-%s\r\n" % reply.encode()
    return b"$%d\r\n%s\r\n" % (len(reply), reply.encode())


class FakeNode:
    def __init__(self, role, settings):
        self.settings = settings
        self.lock = threading.Lock()
        self.role = role
        self.history = "00000001"
        self.position = [int(word) for word in settings.get("position", "0 0").split()]
        self.follows = settings.get("primary", "")

    def answer(self, words):
        command = words[0].upper()
        if command == "COMMAND":
            return [[words[2].lower()] if words[2].upper() in KNOWN else None]
        if command == "TIDE":
            key = "emitted" if self.role == "primary" else "applied"
            return ["role", self.role, "history", self.history, key, self.position]
        if command == "ROLE":
            return ["master" if self.role == "primary" else "slave", self.follows]
        if command == "INFO":
            role = "master" if self.role == "primary" else "slave"
            return f"# Replication\r\nrole:{role}\r\nmaster_failover_state:no-failover\r\n"
        if command == "FAILOVER":
            if self.role != "primary":
                return "ERR FAILOVER is not valid when server is a replica."
            if self.settings.get("no_failover"):
                return "ERR no failover here"
            if not self.settings.get("refuse_failover"):
                with Connection(words[2], int(words[3])) as target:
                    target.call("TAKE", self.history, *self.position)
                self.role = "replica"
                self.follows = f"{words[2]}:{words[3]}"
            return "OK"
        if command == "TAKE":
            self.role, self.follows = "primary", ""
            self.history = f"{int(words[1], 16) + 1:08x}"
            self.position = [int(word) for word in words[2:]]
            return "OK"
        if command == "REPLICAOF":
            if self.settings.get("no_failover"):
                return "ERR no change of roles here"
            if words[1].upper() == "NO":
                self.role, self.follows = "primary", ""
                self.history = f"{int(self.history, 16) + 1:08x}"
                return "OK"
            self.role, self.follows = "replica", f"{words[1]}:{words[2]}"
            return "OK"
        return "ERR unknown command"

    def catch_up(self):
        """A replica asks its primary for everything whenever it is asked itself."""
        if self.role != "replica" or not self.follows or "position" in self.settings:
            return
        host, port = self.follows.rsplit(":", 1)
        try:
            with Connection(host, int(port), timeout_s=1) as primary:
                reply = primary.call("TIDE", "WATERMARKS")
        except OSError:
            return
        self.history, self.position = reply[3], reply[5]


def serve(node, port):
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while line := self.rfile.readline():
                words = []
                for _ in range(int(line[1:])):
                    length = int(self.rfile.readline()[1:])
                    words.append(self.rfile.read(length + 2)[:-2].decode())
                node.catch_up()
                self.wfile.write(encode(node.answer(words)))

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    with open(sys.argv[2].removeprefix("--config="), "rb") as file:
        settings = tomllib.load(file)
    node = FakeNode(sys.argv[1], settings)
    for key in ("port", "replication_port"):
        if key in settings:
            serve(node, settings[key])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print(f"tidemark ready role={sys.argv[1]} port={settings['port']}", flush=True)
    stop.wait()


if __name__ == "__main__":
    main()
