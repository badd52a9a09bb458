"""The checking client against a node that breaks promises: what finds nothing proves nothing."""

import socketserver
import threading
import unittest

from checking_client import CheckingClient


class FakeNode(socketserver.ThreadingTCPServer):
    """Keeps values in memory; refuses writes, or forgets, when told to."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, values):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.values = values
        self.read_only = False
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2].decode())
            if words[0] == "GET":
                value = str(self.server.values.get(words[1], 0))
                self.wfile.write(f"${len(value)}\r\n{value}\r\n".encode())
            elif self.server.read_only:
                self.wfile.write(b"-READONLY no\r\n")
            else:
                self.server.values[words[1]] = int(words[2])
                self.wfile.write(b"+OK\r\n")


class CheckingClientTest(unittest.TestCase):
    def setUp(self):
        self.values = {}
        self.nodes = [FakeNode(self.values), FakeNode(self.values)]
        for node in self.nodes:
            self.addCleanup(node.server_close)
            self.addCleanup(node.shutdown)
        self.addresses = [node.server_address for node in self.nodes]

    def test_kept_promises_are_kept_wherever_the_writes_went(self):
        with CheckingClient(self.addresses) as client:
            client.wait_for(200)
            self.nodes[0].read_only = True
            client.wait_for(200)
            client.stop()
        self.assertEqual(client.broken_promises(self.addresses[0]), [])

    def test_one_lost_write_is_found(self):
        with CheckingClient(self.addresses) as client:
            client.wait_for(200)
            client.stop()
        self.values["promise:1:3"] -= 1
        (broken,) = client.broken_promises(self.addresses[1])
        self.assertRegex(broken, "^promise:1:3 is .*, answered")

    def test_a_write_that_nobody_made_is_found(self):
        with CheckingClient(self.addresses) as client:
            client.wait_for(200)
            client.stop()
        self.values["promise:0:0"] += 1000
        self.assertRegex(client.broken_promises(self.addresses[0])[0], "^promise:0:0 is ")


if __name__ == "__main__":
    unittest.main()
