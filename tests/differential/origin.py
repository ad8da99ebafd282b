"""origin: a server on a raw socket that keeps every byte it gets, and answers as a case says.

The first request of a case gets the answer of the case, further ones get DEFAULT. Two targets are
the runner's own: /probe, which is sent behind a case on the same connection, and /other, which
another client asks afterwards. Their answers name themselves, so that it is seen who gets what.
"""
import socket
import struct
import threading

from peers import DEADLINE
from reading import read_requests

DEFAULT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MOMENT = 1
OWN_TARGETS = (b"/probe", b"/other")


def own_answer(target):
    name = target[1:]
    return b"HTTP/1.1 200 OK\r\nX-Answers: %b\r\nContent-Length: %d\r\n\r\n%b" % (name, len(name), name)


class Connection:
    """From the proxy."""

    def __init__(self, sock):
        self.sock = sock
        self.received = b""
        self.requests = []
        self.answers = []  # what was sent for each request that was answered
        self.is_scripted = False  # it got the answer of the case
        self.awaits_body = []  # the steps that are due when the request is whole
        self.closed = threading.Event()  # by the proxy, or by a reset of ours

    def send(self, data):
        if self.answers:
            self.answers[-1] += data
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # the proxy has closed it already

    def half_close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Origin:
    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.failures = []
        self.lock = threading.Lock()
        self.knock_port = None
        self.knocked = threading.Event()
        self.begin([])
        threading.Thread(target=self.accept_all, daemon=True).start()

    # ---- one case

    def begin(self, steps):
        """Before a case, when no connection is open: what comes from now on belongs to it."""
        self.connections = []
        self.steps = list(steps) or [DEFAULT]
        self.script_taken = False
        self.reached = threading.Event()
        self.client_answered = threading.Event()
        self.settled = threading.Event()
        if not {"late", "end"} & set(self.steps):
            self.settled.set()

    def finish(self):
        """After a case: gives its connections, which are accepted, ended, and closed by the proxy."""
        self.client_answered.set()
        self.wait_for_accepts()
        for connection in self.connections:
            connection.half_close()
        for connection in self.connections:
            if not connection.closed.wait(DEADLINE):
                raise AssertionError("the proxy keeps a connection whose origin has ended")
        if self.failures:
            raise self.failures[0]
        return self.connections

    def wait_for_accepts(self):
        """Connections are accepted in their order: when this one is, all are."""
        with socket.socket() as knock:
            knock.bind(("127.0.0.1", 0))
            self.knocked.clear()
            self.knock_port = knock.getsockname()[1]
            knock.settimeout(DEADLINE)
            knock.connect(("127.0.0.1", self.port))
            assert self.knocked.wait(DEADLINE), "the origin accepts nothing"

    # ---- connections

    def accept_all(self):
        while True:
            try:
                sock, peer = self.sock.accept()
            except OSError:
                return
            if peer[1] == self.knock_port:
                sock.close()
                self.knocked.set()
                continue
            connection = Connection(sock)
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            if self.steps[0] == "accept" and self.take_script():
                connection.is_scripted = True
                self.play(connection, self.steps[1:])
            while True:
                data = connection.sock.recv(1 << 18)
                if not data:
                    break
                connection.received += data
                self.reached.set()
                self.react(connection)
        except OSError:
            pass  # reset by either side
        except Exception as failure:
            self.failures.append(failure)
        finally:
            connection.closed.set()

    def take_script(self):
        with self.lock:
            taken, self.script_taken = self.script_taken, True
            return not taken

    def react(self, connection):
        """Answers every request that is whole and has no answer."""
        connection.requests = read_requests(connection.received, leniently=True)
        if connection.awaits_body and connection.requests[len(connection.answers) - 1].done:
            self.play(connection, connection.awaits_body)
        for request in connection.requests[len(connection.answers):]:
            early = self.steps[0] == "head" and request.head_done and not self.script_taken
            if not (request.done or early):
                return
            connection.answers.append(b"")
            if request.target in OWN_TARGETS:
                connection.send(own_answer(request.target))
            elif self.steps[0] != "accept" and self.take_script():
                connection.is_scripted = True
                self.play(connection, self.steps[self.steps[0] == "head":])
            else:
                connection.send(DEFAULT)

    def play(self, connection, steps):
        connection.awaits_body = []
        for number, step in enumerate(steps, 1):
            if step == "body":
                connection.awaits_body = steps[number:]
                return
            if isinstance(step, bytes):
                connection.send(step)
            elif step == "late":
                self.client_answered.wait(DEADLINE)
            elif step == "end":
                connection.half_close()
            elif step == "reset":
                connection.reset()
        if not self.settled.is_set():
            threading.Thread(target=self.settle, args=(connection,), daemon=True).start()

    def settle(self, connection):
        """The proxy's close is the proof that it has seen what came late. One that does not close
        gets a moment."""
        connection.closed.wait(MOMENT)
        self.settled.set()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
