"""client: sends the bytes of a case, then a probe on the same connection, and keeps what comes.

The probe is a plain GET. Its answer says that both sides agree where the case ended; anything else
that comes before it, instead of it, or the connection's end, is the outcome of the case. A second
client asks for /other afterwards: what it gets says whether a stray answer reaches somebody else.
"""
import socket

from peers import DEADLINE
from reading import read_requests, read_responses

PROBE = b"GET /probe HTTP/1.1\r\nHost: probe.example.com\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nHost: other.example.com\r\n\r\n"


class Client:
    def __init__(self, port, patience):
        self.sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.sock.settimeout(patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = b""
        self.received = b""
        self.end = None  # "close", "reset", "hang"

    def send(self, data):
        self.sent += data
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # it is closed; what was answered is still to be read

    def responses(self):
        methods = [request.method for request in read_requests(self.sent)]
        return read_responses(self.received, methods, self.end == "close")

    def receive_until(self, is_enough):
        """False: the connection ended, or nothing more came."""
        while not is_enough(self.responses()):
            if self.end:
                return False
            try:
                data = self.sock.recv(1 << 18)
                self.received += data
                self.end = None if data else "close"
            except TimeoutError:
                self.end = "hang"
            except OSError:
                self.end = "reset"
        return True


def final(responses):
    return [each for each in responses if each.status >= 200 or each.status == 101]


def is_answer(response, name):
    return response.done and response.all(b"X-Answers") == [name]


def converse(port, patience, steps, origin):
    """The client of a case, its connection closed."""
    client = Client(port, patience)
    with client.sock:
        heads = 0
        for step in steps:
            if isinstance(step, bytes):
                client.send(step)
            elif step == "wait":
                heads += 1
                client.receive_until(lambda got: sum(each.head_done for each in got) >= heads)
            elif step == "reached":
                origin.reached.wait(client.sock.gettimeout())
            else:
                try:
                    client.sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        client.receive_until(lambda got: any(each.done for each in final(got)))
        origin.client_answered.set()
        origin.settled.wait(DEADLINE)
        if not client.end and "end" not in steps:
            client.send(PROBE)
            client.receive_until(lambda got: any(is_answer(each, b"probe") for each in got))
        elif not client.end:
            client.receive_until(lambda got: False)
    return client


def ask_other(port, patience):
    client = Client(port, patience)
    with client.sock:
        client.send(OTHER)
        client.receive_until(lambda got: any(each.done for each in final(got)))
    return client
