#!/usr/bin/env python3
"""Follows the changes of a Tidemark node and prints them as JSON lines: an example of a consumer.

Everything is written from docs/formats/export.md and docs/formats/frame.md with the standard library
alone, Protobuf included: the messages need only two of its wire types and a dozen lines.

    export_consumer.py HOST:PORT --token=T [--consumer=NAME] [--resume=FILE]
                       [--from=now|beginning|snapshot] [--until-current]

The cursor is kept in FILE, in the same form as tideexport's. It is written after the lines were
flushed: a crash in between repeats lines, with the same history, shard and sequence.
"""

import argparse
import base64
import json
import os
import random
import socket
import struct
import sys
import time

MAX_FRAME_BYTES = 256 << 20  # What this consumer is ready to hold.
MAX_CONTROL_BYTES = 128 << 10
CONTROL_HEADER_BYTES = 16
FRAME_HEADER_BYTES = 68

HELLO, ACCEPT, REFUSE, SNAPSHOT_END, HISTORY_CHANGE, ACK, HEARTBEAT, GOODBYE = range(1, 9)
START = {"resume": 1, "now": 2, "beginning": 3, "snapshot": 4}
# Refusals that mend themselves: no hello in time, name in use, no snapshot yet, stopping, unavailable.
PASSING_REFUSALS = {1, 5, 9, 10, 11}
POSITION_LOST_GOODBYE = 4


class Broken(Exception):
    """The stream broke, or the node asked us to come back later: try again."""

    def __init__(self, text, retry_after_ms=0):
        super().__init__(text)
        self.retry_after_ms = retry_after_ms


class Refused(Exception):
    """What trying again would not mend."""


# --- CRC32C ---


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC32C_TABLE = _crc32c_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# --- Protobuf: as much of it as the messages need ---


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Broken("a number that does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def number_field(field, value):
    return varint(field << 3) + varint(value)


def bytes_field(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def fixed64_field(field, value):
    return varint(field << 3 | 1) + struct.pack("<Q", value)


def parse_message(data):
    """{field: [values]}: numbers, and bytes for whatever has a length."""
    fields = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 2:
            length, at = read_varint(data, at)
            if at + length > len(data):
                raise Broken("a field past the end of its message")
            value, at = data[at : at + length], at + length
        elif kind == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            raise Broken(f"Protobuf wire type {kind}")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def one(fields, number, default=0):
    return fields.get(number, [default])[-1]


def fixed64s(fields, number):
    """A repeated fixed64, packed or not."""
    values = []
    for value in fields.get(number, []):
        if isinstance(value, int):
            values.append(value)
        else:
            values.extend(struct.unpack(f"<{len(value) // 8}Q", value))
    return values


def lost_ranges(fields, number):
    ranges = [parse_message(value) for value in fields.get(number, [])]
    return "".join(f"; lost of shard {one(r, 1)}: {one(r, 2)} to {one(r, 3)}" for r in ranges)


# --- Messages ---


def control_message(kind, body):
    head = struct.pack("<4sBBHI", b"TDMX", 1, kind, 0, len(body))
    return head + struct.pack("<I", crc32c(body, crc32c(head))) + body


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=60)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def send(self, kind, body=b""):
        self.socket.sendall(control_message(kind, body))

    def read(self, size):
        while len(self.buffer) < size:
            got = self.socket.recv(max(size - len(self.buffer), 65536))
            if not got:
                raise Broken("the node closed the connection")
            self.buffer += got
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def next_message(self):
        """("frame", header, payload) or (type, fields)."""
        magic = self.read(4)
        if magic == b"TDMF":
            head = magic + self.read(FRAME_HEADER_BYTES - 4)
            return self.frame(head)
        if magic != b"TDMX":
            raise Broken(f"{magic!r} begins no message")
        head = magic + self.read(CONTROL_HEADER_BYTES - 4)
        _, layout, kind, reserved, length, crc = struct.unpack("<4sBBHII", head)
        if layout != 1 or reserved != 0 or length > MAX_CONTROL_BYTES:
            raise Broken("a control message of an unknown layout")
        body = self.read(length)
        if crc32c(body, crc32c(head[:12])) != crc:
            raise Broken("a control message with a wrong checksum")
        return kind, parse_message(body)

    def frame(self, head):
        names = (
            "version kind flags history shard shard_count record_count first last digest sealed_at_ms "
            "raw_bytes stored_bytes crc"
        )
        frame = dict(zip(names.split(), struct.unpack("<4xBBHQHHIQQQQIII", head)))
        # We did not ask for zstd, so flag 1 may not be there; 8 says that there are transactions.
        if frame["version"] != 1 or frame["kind"] not in (1, 2) or frame["flags"] & ~0x0E:
            raise Refused(f"a frame that this consumer does not know: {frame}")
        if frame["stored_bytes"] > MAX_FRAME_BYTES:
            raise Refused(f"a frame of {frame['stored_bytes']} bytes")
        payload = self.read(frame["stored_bytes"])
        # The checksum is made over the header with its own field zero. In pure Python it is slow: a
        # consumer that trusts TCP may leave this out.
        if crc32c(payload, crc32c(head[:64] + b"\0\0\0\0")) != frame["crc"]:
            raise Broken("a frame with a wrong checksum")
        return "frame", frame, payload


# --- Records ---


def show_bytes(record, name, value):
    try:
        record[name] = value.decode("utf-8")
    except UnicodeDecodeError:
        record[name + "_base64"] = base64.b64encode(value).decode("ascii")


def read_records(payload, count):
    """Yields what each record says."""
    at = 0

    def take(size):
        nonlocal at
        if at + size > len(payload):
            raise Broken("a record past the end of its frame")
        at += size
        return payload[at - size : at]

    def number():
        nonlocal at
        value, at = read_varint(payload, at)
        return value

    def expiry(flags):
        """What the record says about it; flag 1: there is one, 8: there is more than a moment."""
        if flags & ~9:
            raise Refused(f"a record of unknown flags {flags}")
        fields = {}
        if flags & 1:
            fields["expire_at_ms"] = struct.unpack("<Q", take(8))[0]
        if flags & 8:
            for name in ("idle_ms", "stale_ms", "hard_at_ms"):
                if ms := number():
                    fields[name] = ms
        return fields

    for _ in range(count):
        op, flags = take(2)
        record = {}
        if op == 1:  # Set
            key_bytes, value_bytes = number(), number()
            until = expiry(flags)
            record["op"] = "set"
            show_bytes(record, "key", take(key_bytes))
            show_bytes(record, "value", take(value_bytes))
            record.update(until)
        elif op == 2:  # Delete
            record["op"] = "delete"
            show_bytes(record, "key", take(number()))
            if flags & 6:
                record["why"] = "expired" if flags & 2 else "evicted"
        elif op == 3:  # Expire
            key_bytes = number()
            until = expiry(flags)
            record["op"] = "expire"
            show_bytes(record, "key", take(key_bytes))
            record.update(until)
        elif op == 4:  # Flush
            record["op"] = "flush"
        elif op == 5:  # Transaction
            record["op"] = "transaction"
            record["transaction"], record["records"] = number(), number()
            record["participants"] = [number() for _ in range(number())]
        elif op == 6:  # SetRange
            key_bytes, offset, value_bytes = number(), number(), number()
            record["op"] = "set_range"
            show_bytes(record, "key", take(key_bytes))
            record["offset"] = offset
            show_bytes(record, "value", take(value_bytes))
        else:
            raise Refused(f"a record of unknown op {op}")
        yield record
    if at != len(payload):
        raise Broken("bytes after a frame's last record")


# --- The consumer ---


class Consumer:
    def __init__(self, arguments):
        self.arguments = arguments
        self.history = 0
        self.cursor = None  # One sequence a shard; None: no position yet.
        if arguments.resume and os.path.exists(arguments.resume):
            with open(arguments.resume, encoding="utf-8") as file:
                position = json.load(file)
            self.history = int(position["history"], 16)
            self.cursor = position["positions"]
        self.in_snapshot = False
        self.chunks = self.entries = 0
        self.target = None  # What --until-current waits for.

    def hello(self):
        start = START["resume"] if self.cursor else START[self.arguments.from_]
        body = number_field(1, 1) + number_field(2, 1)
        body += bytes_field(3, self.arguments.consumer.encode())
        body += bytes_field(4, self.arguments.token.encode())
        body += number_field(5, start)
        if self.cursor:
            body += fixed64_field(6, self.history)
            body += bytes_field(7, struct.pack(f"<{len(self.cursor)}Q", *self.cursor))
        return body

    def store(self, connection):
        """What was printed is out; then the cursor is kept, and only then the node is told."""
        sys.stdout.flush()
        if self.in_snapshot or self.cursor is None:
            connection.send(ACK)  # Alive, and without a position.
            return
        if self.arguments.resume:
            temporary = self.arguments.resume + ".tmp"
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump({"history": f"{self.history:016x}", "positions": self.cursor}, file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, self.arguments.resume)
        body = fixed64_field(1, self.history)
        body += bytes_field(2, struct.pack(f"<{len(self.cursor)}Q", *self.cursor))
        connection.send(ACK, body)

    def print(self, frame, sequence, record):
        line = {
            "op": record.pop("op") if frame["kind"] == 1 else "entry",
            "history": f"{frame['history']:016x}",
            "shard": frame["shard"],
            "sequence": sequence,
        }
        record.pop("op", None)
        print(json.dumps({**line, **record}, ensure_ascii=False))

    def take_frame(self, frame, payload):
        if frame["shard_count"] != len(self.cursor) or frame["shard"] >= len(self.cursor):
            raise Broken("a frame of another number of shards")
        shard, first = frame["shard"], frame["first"]
        if frame["kind"] == 2:
            if not self.in_snapshot or first != self.cursor[shard]:
                raise Broken("a chunk of a snapshot that was not announced")
            self.chunks += 1
            self.entries += frame["record_count"]
            for record in read_records(payload, frame["record_count"]):
                self.print(frame, first, record)
            return
        if self.in_snapshot or frame["history"] != self.history:
            raise Broken("a frame out of turn")
        if first > self.cursor[shard] + 1:
            raise Broken(f"a hole in shard {shard}: {first} after {self.cursor[shard]}")
        for sequence, record in enumerate(read_records(payload, frame["record_count"]), first):
            if sequence > self.cursor[shard]:
                self.print(frame, sequence, record)
        self.cursor[shard] = max(self.cursor[shard], frame["last"])

    def is_current(self):
        return (
            self.target is not None
            and not self.in_snapshot
            and self.target[0] == self.history
            and all(have >= want for have, want in zip(self.cursor, self.target[1]))
        )

    def run(self, connection):
        connection.send(HELLO, self.hello())
        told_at = time.monotonic()
        interval_s = 1.0
        accepted = False
        while True:
            kind, *rest = connection.next_message()
            if kind == "frame":
                if not accepted:
                    raise Broken("a frame before the stream was accepted")
                self.take_frame(*rest)
                # An ack for many frames: each costs the file a sync.
                if time.monotonic() - told_at < interval_s / 2:
                    continue
            elif kind == ACCEPT and not accepted:
                accepted = True
                fields = rest[0]
                self.history, self.cursor = one(fields, 2), fixed64s(fields, 4)
                self.in_snapshot = bool(one(fields, 5))
                self.chunks = self.entries = 0
                interval_s = max(one(fields, 6, 1000), 1) / 1000
            elif kind == SNAPSHOT_END and self.in_snapshot:
                if (one(rest[0], 1), one(rest[0], 2)) != (self.chunks, self.entries):
                    raise Broken("a snapshot of which something is missing")
                self.in_snapshot = False
            elif kind == HISTORY_CHANGE and accepted and not self.in_snapshot:
                self.history, self.cursor = one(rest[0], 1), fixed64s(rest[0], 3)
            elif kind == HEARTBEAT and accepted:
                if self.arguments.until_current and self.target is None:
                    self.target = (one(rest[0], 1), fixed64s(rest[0], 2))
            elif kind == REFUSE:
                code, text = one(rest[0], 1), one(rest[0], 2, b"").decode("utf-8", "replace")
                text = f"refused ({code}): {text}{lost_ranges(rest[0], 4)}"
                if code in PASSING_REFUSALS:
                    raise Broken(text, one(rest[0], 3))
                raise Refused(text)
            elif kind == GOODBYE:
                code, text = one(rest[0], 1), one(rest[0], 2, b"").decode("utf-8", "replace")
                text = f"the node said goodbye ({code}): {text}{lost_ranges(rest[0], 3)}"
                raise Refused(text) if code == POSITION_LOST_GOODBYE else Broken(text)
            else:
                raise Broken(f"message {kind} out of turn")
            self.store(connection)
            told_at = time.monotonic()
            if self.is_current():
                connection.send(GOODBYE, number_field(1, 6))
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--token", default=os.environ.get("TIDEEXPORT_TOKEN", ""))
    parser.add_argument("--consumer", default="example")
    parser.add_argument("--resume", metavar="FILE")
    parser.add_argument("--from", dest="from_", default="now", choices=["now", "beginning", "snapshot"])
    parser.add_argument("--until-current", action="store_true")
    arguments = parser.parse_args()
    host, _, port = arguments.address.rpartition(":")

    consumer = Consumer(arguments)
    wait_s = 0.1
    while True:
        connection = None
        try:
            connection = Connection((host.strip("[]"), int(port)))
            consumer.run(connection)
            return 0
        except Refused as why:
            print(f"export_consumer: {why}", file=sys.stderr)
            return 1
        except (Broken, OSError, struct.error) as why:
            print(f"export_consumer: {why}", file=sys.stderr)
            # A snapshot that was cut has left no position: it begins anew.
            if consumer.in_snapshot:
                consumer.in_snapshot, consumer.cursor = False, None
            time.sleep(max(wait_s * random.uniform(0.5, 1), getattr(why, "retry_after_ms", 0) / 1000))
            wait_s = min(wait_s * 2, 5)
        finally:
            if connection is not None:
                connection.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
