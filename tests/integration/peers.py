"""peers: scripted ends of connections on raw sockets.

The test itself is the script: it sends bytes, and reads what it expects. Every wait is for an event
(bytes, an end, a connection) and gives up after DEADLINE seconds, which is a failure. So
long because a machine may be busy: no test takes less time for a shorter one.
"""
import socket
import struct
import threading

from messages import CHUNK_SIZE, FIELD_LINE, Message, to_bytes

DEADLINE = 30
HEAD_MAX = 128 * 1024


class EarlyEnd(AssertionError):
    """The other side ended before what was waited for had come."""


class Transcript:
    """What went over all connections of one test, in order; long runs are cut."""

    SHOWN = 300

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = []

    def note(self, who, what, data=None):
        with self.lock:
            last = self.entries[-1] if self.entries else None
            if data is not None and last and last[:2] == [who, what]:
                last[2] += data[: max(0, self.SHOWN - len(last[2]))]
                last[3] += len(data)
            else:
                self.entries.append([who, what, data[: self.SHOWN] if data else b"", len(data or b"")])

    def text(self):
        with self.lock:
            lines = []
            for who, what, data, size in self.entries[-24:]:
                more = f" … {size} bytes" if size > len(data) else ""
                lines.append(f"  {who} {what} {data!r}{more}" if size else f"  {who} {what}")
            return "\n".join(lines)


class Peer:
    """One end of a connection: a client's, or an origin's."""

    def __init__(self, sock, name, transcript):
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        if sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = name
        self.transcript = transcript
        self.buffer = b""  # received and not yet read

    # ---- sending

    def send(self, data):
        data = to_bytes(data)
        self.transcript.note(self.name, "sends", data)
        self.sock.sendall(data)

    def send_pieces(self, data, size=1):
        data = to_bytes(data)
        for start in range(0, len(data), size):
            self.send(data[start : start + size])

    def half_close(self):
        self.transcript.note(self.name, "ends its side")
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.transcript.note(self.name, "closes")
        self.sock.close()

    def reset(self):
        self.transcript.note(self.name, "resets")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # ---- receiving

    def fill(self, waiting_for):
        """Receives once. False at the end; ConnectionResetError comes through."""
        try:
            data = self.sock.recv(1 << 18)
        except TimeoutError:
            raise AssertionError(
                f"{self.name} waited {DEADLINE} s for {waiting_for}; had {self.buffer[-400:]!r}"
            ) from None
        except ConnectionResetError:
            self.transcript.note(self.name, "is reset")
            raise
        if data:
            self.transcript.note(self.name, "receives", data)
            self.buffer += data
        else:
            self.transcript.note(self.name, "sees the end")
        return bool(data)

    def take(self, n):
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def read_exact(self, n):
        pieces = []
        while n > len(self.buffer):
            pieces.append(self.take(len(self.buffer)))
            n -= len(pieces[-1])
            if not self.fill(f"{n} more bytes"):
                raise EarlyEnd(f"{self.name}: the end, {n} bytes too early")
        pieces.append(self.take(n))
        return b"".join(pieces)

    def read_until(self, marker, most=HEAD_MAX):
        while marker not in self.buffer:
            assert len(self.buffer) < most, f"{self.name}: no {marker!r} in {self.buffer!r}"
            if not self.fill(f"{marker!r}"):
                raise EarlyEnd(f"{self.name}: the end after {self.buffer!r}")
        return self.take(self.buffer.index(marker) + len(marker))

    def read_head(self):
        return Message(self.read_until(b"\r\n\r\n"))

    def read_chunk(self):
        """The data of one chunk; b"" for the last one, whose trailers are read too."""
        line = self.read_until(b"\r\n")[:-2]
        assert CHUNK_SIZE.fullmatch(line), f"{self.name}: chunk size {line!r}"
        if line == b"0":
            self.trailers = self.read_trailers()
            return b""
        data = self.read_exact(int(line, 16))
        end = self.read_exact(2)
        assert end == b"\r\n", f"{self.name}: {end!r} after a chunk"
        return data

    def read_trailers(self):
        fields = []
        while (line := self.read_until(b"\r\n")[:-2]):
            match = FIELD_LINE.fullmatch(line)
            assert match, f"{self.name}: malformed trailer {line!r}"
            fields.append(match.groups())
        return fields

    def read_chunked(self, head):
        pieces = list(iter(self.read_chunk, b""))
        head.chunks = [len(piece) for piece in pieces]
        head.trailers = self.trailers
        return b"".join(pieces)

    def read_to_end(self):
        while self.fill("the end"):
            pass
        return self.take(len(self.buffer))

    def read_body(self, head, answers="GET"):
        framing = head.framing(answers)
        if framing == "chunked":
            head.body = self.read_chunked(head)
        elif framing == "close":
            head.body = self.read_to_end()
        elif framing:
            head.body = self.read_exact(framing)
        return head

    def read_request(self):
        return self.read_body(self.read_head())

    def read_response(self, answers="GET"):
        return self.read_body(self.read_head(), answers)

    def expect_cut_off(self, piece, most):
        """What is sent now, piece by piece, is taken by nobody before it is `most` bytes."""
        for _ in range(0, most, len(piece)):
            try:
                self.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                return
        raise AssertionError(f"{self.name}: {most} bytes were taken")

    # ---- ends

    def expect_end(self):
        """A clean end, and nothing before it."""
        rest = self.read_to_end()
        assert rest == b"", f"{self.name}: {rest[:400]!r} before the end"

    def expect_reset(self):
        try:
            rest = self.read_to_end()
        except ConnectionResetError:
            return
        raise AssertionError(f"{self.name}: a clean end instead of a reset, after {rest[-100:]!r}")

    def expect_gone(self):
        """An end of either kind (which one depends on what was unread); returns what came before."""
        try:
            return self.read_to_end()
        except ConnectionResetError:
            return self.take(len(self.buffer))


class Origin:
    """A listening socket at a port of the kernel's choice, or at a path. Connections are taken one by
    one with accept(), or all by a thread, after serve()."""

    def __init__(self, name, transcript, backlog=64, path=None, host="127.0.0.1", port=0):
        self.name = name
        self.transcript = transcript
        self.peers = []
        self.requests = []  # of serve()
        self.failures = []
        v6 = ":" in host
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET6 if v6 else socket.AF_INET)
        self.sock.bind(path or (host, port))
        self.port = None if path else self.sock.getsockname()[1]
        self.address = f"unix:{path}" if path else f"[{host}]:{self.port}" if v6 else f"{host}:{self.port}"
        if backlog is not None:
            self.sock.listen(backlog)
        self.sock.settimeout(DEADLINE)

    def accept(self):
        try:
            sock, _ = self.sock.accept()
        except TimeoutError:
            raise AssertionError(f"{self.name} waited {DEADLINE} s for a connection") from None
        return self.keep(sock)

    def keep(self, sock):
        peer = Peer(sock, f"{self.name}#{len(self.peers) + 1}", self.transcript)
        self.transcript.note(peer.name, "accepts")
        self.peers.append(peer)
        return peer

    def expect_untouched(self):
        """No connection waits to be accepted. To be asked when the gateway has answered already."""
        self.sock.settimeout(0)
        try:
            sock, _ = self.sock.accept()
        except BlockingIOError:
            self.sock.settimeout(DEADLINE)
            return
        peer = self.keep(sock)
        raise AssertionError(f"{self.name} was connected to, and got {peer.sock.recv(65536)!r}")

    def serve(self, react):
        """From now on a thread answers: react(request) gives the bytes of a response."""
        threading.Thread(target=self.serve_all, args=(react,), daemon=True).start()

    def serve_all(self, react):
        self.sock.settimeout(None)
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            peer = self.keep(sock)
            peer.sock.settimeout(None)
            threading.Thread(target=self.serve_one, args=(peer, react), daemon=True).start()

    def serve_one(self, peer, react):
        try:
            while peer.buffer or peer.fill("a request"):
                head = peer.read_request()
                self.requests.append(head)
                peer.send(react(head))
        except (OSError, EarlyEnd):
            pass  # the gateway, whose client left, or the test's end closed it
        except Exception as error:
            self.failures.append(error)

    def close(self):
        # Wakes a thread that waits, which close() alone does not.
        for sock in [self.sock, *(peer.sock for peer in self.peers)]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


class FullOrigin(Origin):
    """An address that takes no connection and refuses none: its queue is full."""

    def __init__(self, name, transcript):
        super().__init__(name, transcript, backlog=0)
        self.waiting = socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def close(self):
        self.waiting.close()
        super().close()


class Task:
    """A script of its own, in a thread."""

    def __init__(self, work, *args):
        self.outcome = None
        self.error = None
        self.thread = threading.Thread(target=self.run, args=(work, args), daemon=True)
        self.thread.start()

    def run(self, work, args):
        try:
            self.outcome = work(*args)
        except BaseException as error:  # told by result()
            self.error = error

    def result(self, within=6 * DEADLINE):
        self.thread.join(within)
        assert not self.thread.is_alive(), "a script of the test is not done"
        if self.error:
            raise self.error
        return self.outcome
