"""harness: a gateway between scripted clients and scripted origins.

A test is a function test_*(bench) in a file test_*.py. The bench has two origins, `v1` and
`canary`; start() runs the gateway between them, client() connects to it. When the test is over the
gateway must stop cleanly: status 0 and nothing said by a sanitizer.

    def test_get(bench):
        client = bench.start().client()
        client.send(request("GET /a HTTP/1.1"))
        origin = bench.v1.accept()
        assert origin.read_request().target == b"/a"
        origin.send(response(body=b"hello"))
        assert client.read_response().body == b"hello"
"""
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from messages import chunked, message, request, response  # for the tests
from peers import DEADLINE, FullOrigin, Origin, Peer, Task, Transcript

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from ports import hold  # noqa: E402

READY = re.compile(r"adit: ready, \d+ routes, \d+ workers, listening on 127\.0\.0\.1:(\d+)$")
RELOADED = re.compile(r"adit: (error: |warning: )?reload(ed| refused)")
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion")
STICKY_KEY = "an integration test's key, 32 or more bytes\n"

__all__ = ["DEADLINE", "Bench", "Task", "chunked", "message", "request", "response"]


def merge(base, changes):
    """`changes` laid over `base`; an object goes into an object, None takes a key away."""
    merged = dict(base)
    for key, value in (changes or {}).items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


class Gateway:
    """A process `adit run`, started by the command `before` if there is one, which must become it.
    Its stderr is kept, line by line."""

    def __init__(self, binary, directory, transcript, descriptors=None, before=(), pass_fds=(),
                 stdout=subprocess.DEVNULL):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.transcript = transcript
        self.lines = []
        self.news = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen(
            [*before, binary, "run", "-c", "adit.json"], pass_fds=pass_fds,
            cwd=directory, stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.PIPE, preexec_fn=limit if descriptors else None,
            env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"})
        threading.Thread(target=self.read_stderr, daemon=True).start()

    def read_stderr(self):
        for raw in self.process.stderr:
            with self.news:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait_line(self, pattern, since=0):
        """The match of the first line on stderr in which `pattern` is found, from line `since` on."""
        def find():
            found = (re.search(pattern, line) for line in self.lines[since:])
            return next(filter(None, found), None)
        with self.news:
            self.news.wait_for(lambda: find() or self.ended, DEADLINE)
            assert find(), f"the gateway did not say {re.compile(pattern).pattern!r}"
            return find()

    def wait_ready(self):
        return int(self.wait_line(READY)[1])

    def signal(self, number):
        self.transcript.note("gateway", f"is sent {signal.Signals(number).name}")
        self.process.send_signal(number)

    def reload(self):
        """Sends SIGHUP; gives what is said until it has an outcome, which is the last line."""
        since = len(self.lines)
        self.signal(signal.SIGHUP)
        outcome = self.wait_line(RELOADED, since).string
        return self.lines[since : self.lines.index(outcome, since) + 1]

    def freeze(self):
        """Stops it in its tracks: what happens until thaw() it will see all at once."""
        self.signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def wait_end(self):
        """Its exit status."""
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError("the gateway does not end") from None
        with self.news:
            assert self.news.wait_for(lambda: self.ended, DEADLINE)
        return self.process.returncode

    def expect_clean_end(self):
        status = self.wait_end()
        assert status == 0, f"the gateway ended with status {status}"

    def resident_kib(self, which="VmRSS"):
        """Its memory, as the kernel counts it."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(rf"{which}:\s+(\d+)", file.read())[1])

    def peak_resident_kib(self):
        """The most there was of it, since the start or forget_peak()."""
        return self.resident_kib("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def is_running(self):
        return self.process.poll() is None

    def cpu_seconds(self):
        """What it has used so far, in user and system mode."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        """The numbers of those that are open."""
        return sorted(int(name) for name in os.listdir(f"/proc/{self.process.pid}/fd"))

    def limit_descriptors(self, most):
        """From now on a new one must be below `most`."""
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (most, hard))

    def said_by_sanitizers(self):
        return [line for line in self.lines if SANITIZER.search(line)]


class Bench:
    def __init__(self, binary):
        self.binary = binary
        self.transcript = Transcript()
        self.directory = tempfile.TemporaryDirectory(prefix="adit-integration-")
        self.origins = []
        self.clients = []
        self.held = []
        self.gateway = None
        self.port = None
        self.v1 = self.origin("v1")
        self.canary = self.origin("canary")

    # ---- origins

    def keep(self, origin):
        self.origins.append(origin)
        return origin

    def origin(self, name, path=None, **where):
        """`path`: of a Unix socket, in the gateway's directory."""
        return self.keep(Origin(name, self.transcript, path=path and f"{self.directory.name}/{path}", **where))

    def refusing(self, name="refusing"):
        """An address that refuses: the port is taken, and nobody listens."""
        return self.keep(Origin(name, self.transcript, backlog=None))

    def full(self, name="full"):
        """An address where a connect hangs."""
        return self.keep(FullOrigin(name, self.transcript))

    def hold(self, port=0, host="127.0.0.1"):
        """A port where the gateway may listen, and that nobody else has until the test is over: for an address that is
        written down before it is listened on, or is left and taken again. OSError: somebody has it."""
        self.held.append(hold(port, host))
        return self.held[-1].getsockname()[1]

    # ---- gateway

    def config(self, v1, canary):
        return {
            "listen": [{"address": "127.0.0.1:0"}],
            # Root is asked whom it wants to be; here it stays who it is, with less.
            **({"user": "root"} if os.geteuid() == 0 else {}),
            "workers": 1,
            "rules": ["shop.json"],
            "upstreams": {
                "shop-v1": {"endpoints": [origin.address for origin in v1], "load_balancing": "round_robin"},
                "shop-canary": {"endpoints": [origin.address for origin in canary], "load_balancing": "round_robin"},
            },
            "sticky": {"keys": [{"id": "test", "file": "sticky.key"}]},
        }

    def write(self, name, content):
        path = os.path.join(self.directory.name, name)
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)

    def place_of(self, name, where):
        """file:line:column of the only place where a JSON string (or bytes) stands in a file."""
        text = where if isinstance(where, bytes) else json.dumps(where).encode()
        with open(os.path.join(self.directory.name, name), "rb") as file:
            lines = file.read().split(b"\n")
        places = [(line, content.find(text) + 1) for line, content in enumerate(lines, 1) if text in content]
        assert len(places) == 1, f"{text} stands at {places} in {name}"
        return f"{name}:{places[0][0]}:{places[0][1]}"

    def write_files(self, config=None, rules=None, v1=None, canary=None):
        """adit.json and shop.json: everything goes to v1, but for what the arguments change."""
        base = self.config(v1 or [self.v1], canary or [self.canary])
        route = {
            "route": "shop",
            "variants": {"v1": "shop-v1", "canary": "shop-canary"},
            "stable": "v1",
        }
        self.write("adit.json", merge(base, config))
        self.write("shop.json", merge(route, rules))
        self.write("sticky.key", STICKY_KEY)

    def start(self, config=None, rules=None, v1=None, canary=None, descriptors=None):
        self.write_files(config, rules, v1, canary)
        return self.run(descriptors)

    def run(self, descriptors=None, **started):
        """With the files that are there."""
        self.gateway = Gateway(self.binary, self.directory.name, self.transcript, descriptors, **started)
        self.port = self.gateway.wait_ready()
        return self

    def client(self, receive_buffer=None, source=None, port=None):
        """A connection to the gateway, or to another port of its. All of 127.0.0.0/8 may be its source."""
        sock = socket.socket()
        if source:
            sock.bind((source, 0))
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", port or self.port))
        client = Peer(sock, f"client#{len(self.clients) + 1}", self.transcript)
        self.clients.append(client)
        return client

    def exchange(self, client, origin, sent=None, answer=None, answers="GET"):
        """One whole exchange. `origin` is an Origin, of which a new connection must come, or a
        connection that must be used again. Gives that connection, request and response."""
        client.send(sent or request())
        peer = origin.accept() if isinstance(origin, Origin) else origin
        got = peer.read_request()
        peer.send(answer or response())
        return peer, got, client.read_response(answers)

    def refused(self, sent, answers="GET"):
        """The answer to bytes that must be answered by the gateway itself, and end the connection."""
        client = self.client()
        client.send(sent)
        answer = client.read_response(answers)
        client.expect_end()
        assert answer.one("Connection") == b"close", answer.head
        return answer

    # ---- end

    def stop(self):
        """Closes all connections and expects a clean end."""
        for client in self.clients:
            client.sock.close()
        for origin in self.origins:
            origin.close()
        if self.gateway and self.gateway.is_running():
            self.gateway.process.send_signal(signal.SIGTERM)
            self.gateway.process.send_signal(signal.SIGCONT)  # where a test has failed while it was frozen
        if self.gateway:
            self.gateway.expect_clean_end()
            said = self.gateway.said_by_sanitizers()
            assert not said, said[0]
        for origin in self.origins:
            assert not origin.failures, f"{origin.name}: {origin.failures[0]!r}"

    def counters(self):
        """Stops; what the gateway has counted."""
        self.stop()
        said = self.gateway.wait_line(r"adit: stopped:(.*)")[1]
        return {name: int(n) for name, n in (pair.split("=") for pair in said.split())}

    def release(self):
        """Leaves nothing behind, whatever happened."""
        if self.gateway and self.gateway.is_running():
            self.gateway.process.kill()
            self.gateway.process.wait()
        for origin in self.origins:
            origin.close()
        for held in self.held:
            held.close()
        self.directory.cleanup()

    def context(self):
        said = "\n".join(f"  {line}" for line in self.gateway.lines[-60:]) if self.gateway else ""
        return f"on the wire:\n{self.transcript.text()}\nthe gateway's stderr:\n{said}\n"
