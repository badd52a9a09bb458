"""A small client: one connection, one command at a time, RESP2."""

import socket

_MAX_REPLY_BYTES = 64 << 20


class ReplyError(Exception):
    """The node answered with an error: its text."""


class Connection:
    """Raises OSError if the node cannot be reached or does not answer in time."""

    def __init__(self, host, port, password="", timeout_s=5.0):
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        if password:
            self.call("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._socket.close()

    def set_timeout(self, timeout_s):
        self._socket.settimeout(timeout_s)

    def call(self, *words):
        """The reply: str, int, list or None. ReplyError if it is an error."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded)]
        parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self._socket.sendall(b"".join(parts))
        return self._read()

    def _read(self):
        line = self._file.readline(_MAX_REPLY_BYTES)
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode(errors="replace")
        if kind == b"-":
            raise ReplyError(rest.decode(errors="replace"))
        if kind not in b":$*" or not rest.lstrip(b"-").isdigit():
            raise ConnectionError("what answers does not speak the protocol")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if number > _MAX_REPLY_BYTES:
            raise ConnectionError("the reply is too long")
        if kind == b"*":
            return [self._read() for _ in range(number)]
        data = self._file.read(number + 2)
        if len(data) != number + 2:
            raise ConnectionError("the connection was closed")
        return data[:-2].decode(errors="replace")
