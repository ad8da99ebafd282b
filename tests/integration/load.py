"""load: steady traffic from client processes, of which every request is accounted for by its id.

    load.py origin          an endpoint that echoes; says its port, and in the end how often it has seen which id
    load.py client PORT NAME N STAYS   visitors in N threads; STAYS is 0 where the listening socket may be closed and
                                       opened anew; in the end says what became of each request

Both run until their standard input ends. A rule's id tells which configuration has decided: the
endpoint sends it back, so that each answer says under which generation it was made.
"""
import asyncio
import collections
import json
import random
import socket
import subprocess
import sys
import threading
import time

PATIENCE = 30  # seconds, for an answer
PAUSE = 0.004  # between two requests of a visitor
BODY_MAX = 6000
REQUESTS_A_CONNECTION = 12
CROWD = 24  # connections of a visitor who opens many at once


# ---- the endpoint's process


class Echo(asyncio.Protocol):
    """One connection. Bodies have a Content-Length, as the visitors send them."""

    def __init__(self, seen):
        self.seen = seen
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            line, *fields = head.split(b"\r\n")
            fields = {name.lower(): value for name, _, value in (field.partition(b": ") for field in fields)}
            size = int(fields.get(b"content-length", 0))
            if len(rest) < size:
                return
            self.buffer = rest[size:]
            self.seen[fields[b"x-id"].decode()] += 1
            close = b"close" in fields.get(b"connection", b"")
            self.transport.write(b"HTTP/1.1 200 OK\r\nX-Id: %s\r\nX-Generation: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
                fields[b"x-id"], fields.get(b"x-adit-rule", b""), size, b"Connection: close\r\n" if close else b"",
                rest[:size]))
            if close:
                self.transport.close()


async def run_origin():
    seen = collections.Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Echo(seen), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    json.dump(seen, sys.stdout)


# ---- the clients' process


class Visitor(threading.Thread):
    """Asks again and again, on connections that are kept for a while or (every other visitor) never; every fourth
    visitor is a crowd, so that there is always somebody whom nobody has accepted yet. Where the socket does not stay
    there are no crowds, and whom it had in its queue comes again."""

    def __init__(self, port, name, stays, done):
        super().__init__(daemon=True)
        self.port, self.name, self.done = port, name, done
        self.chance = random.Random(name)
        number = int(name.rpartition("-")[2])
        self.keeps = number % 2 == 0
        self.stays = stays
        self.crowd = CROWD if stays and number % 4 == 3 else 0
        self.answers = []  # id, when asked, when answered, generation
        self.counts = collections.Counter()
        self.failure = None

    def run(self):
        try:
            while not self.done.is_set():
                if self.crowd:
                    self.come_as_a_crowd()
                else:
                    self.use_connection()
        except Exception as failure:
            self.failure = f"{self.name}, request {self.counts['requests']}: {failure!r}"

    def connect(self):
        """A refused connect is the only thing that is simply tried again: nothing was said."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except ConnectionRefusedError:
                self.counts["refused"] += 1
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE)

    def use_connection(self):
        sock = self.connect()
        uses = self.chance.randrange(2, REQUESTS_A_CONNECTION) if self.keeps else 1
        with sock, sock.makefile("rb") as answers:
            for use in range(uses):
                if not self.ask(sock, answers, use > 0) or self.done.is_set():
                    return
                time.sleep(PAUSE)

    def come_as_a_crowd(self):
        first = self.counts["requests"]
        crowd = []
        for number in range(first, first + self.crowd):
            sock = self.connect()
            crowd.append((sock, self.say(sock, number)))
        for sock, what in crowd:
            with sock, sock.makefile("rb") as answers:
                self.hear(answers, answers.readline(), *what)
        time.sleep(PAUSE)

    def ask(self, sock, answers, reused):
        """False: the connection is over."""
        try:
            what = self.say(sock, self.counts["requests"])
            status = answers.readline()
        except (ConnectionResetError, BrokenPipeError):
            if self.stays and not reused:
                raise
            status = b""
        if not status and (reused or not self.stays):
            # RFC 9112, 9.3.1: who has kept a connection must expect that. Asked again under the same id, on a
            # new one; had it been served all the same, the endpoint would have seen it twice.
            self.counts["again"] += 1
            return False
        return self.hear(answers, status, *what)

    def say(self, sock, number):
        """Asks for something of this visitor's; its name, when that was, and the body."""
        name, began = f"{self.name}-{number}", time.monotonic()
        body = (name.encode() + b" ") * self.chance.randrange(0, BODY_MAX // (len(name) + 1))
        sock.sendall(b"POST /%s HTTP/1.1\r\nHost: shop.example.com\r\nX-Id: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
            name.encode(), name.encode(), len(body), b"" if self.keeps else b"Connection: close\r\n", body))
        return name, began, body

    def hear(self, answers, status, name, began, body):
        """False: it was the last answer of its connection."""
        fields = self.read_fields(answers)
        got = answers.read(int(fields["content-length"]))
        if not status.startswith(b"HTTP/1.1 200 ") or fields.get("x-id") != name or got != body:
            raise AssertionError(f"{status!r} {fields} {got[:100]!r}")
        self.counts["requests"] += 1
        self.answers.append((name, began, time.monotonic(), fields["x-generation"]))
        return fields.get("connection") != "close"

    @staticmethod
    def read_fields(answers):
        fields = {}
        while (line := answers.readline().strip()):
            field, _, value = line.decode("latin-1").partition(":")
            fields[field.lower()] = value.strip()
        return fields


def run_client(port, name, n, stays):
    done = threading.Event()
    visitors = [Visitor(port, f"{name}-{number}", stays, done) for number in range(n)]
    for visitor in visitors:
        visitor.start()
    for line in sys.stdin:  # each is a question how many requests have been answered
        print(sum(len(visitor.answers) for visitor in visitors), flush=True)
    done.set()
    for visitor in visitors:
        visitor.join(2 * PATIENCE)
    json.dump({"answers": [answer for visitor in visitors for answer in visitor.answers],
               "failures": [visitor.failure or f"{visitor.name} hangs" for visitor in visitors
                            if visitor.failure or visitor.is_alive()],
               "counts": sum((visitor.counts for visitor in visitors), collections.Counter())}, sys.stdout)


# ---- the test's side


class Load:
    """Endpoints and client processes. Generations are told as they come and go; in the end each
    answer must be of one that counted at some time between question and answer."""

    def __init__(self, clients=3, visitors=4, stays=True):
        self.clients, self.visitors, self.stays = clients, visitors, stays
        self.generations = {}  # name: [since when, until when (None: still)]
        self.processes = []
        self.origin = self.spawn("origin")
        self.address = f"127.0.0.1:{int(self.origin.stdout.readline())}"

    def spawn(self, *arguments):
        process = subprocess.Popen([sys.executable, __file__, *map(str, arguments)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def start(self, port):
        for number in range(self.clients):
            self.spawn("client", port, number, self.visitors, int(self.stays))

    def begins(self, generation):
        """From now on, at the earliest."""
        self.generations[generation] = [time.monotonic(), None]

    def ends(self, generation):
        """By now, at the latest."""
        self.generations[generation][1] = time.monotonic()

    def answered(self):
        total = 0
        for client in self.processes[1:]:
            client.stdin.write("?\n")
            client.stdin.flush()
            total += int(client.stdout.readline())
        return total

    def wait_for(self, more):
        """Until so many more have been answered."""
        target = self.answered() + more
        end = time.monotonic() + PATIENCE
        while self.answered() < target:
            assert time.monotonic() < end, "the clients get no answers"
            time.sleep(0.02)

    def result_of(self, process):
        out, _ = process.communicate(timeout=3 * PATIENCE)
        return json.loads(out)

    def is_allowed(self, began, ended, generation):
        since, until = self.generations.get(generation, (ended + 1, None))
        return since <= ended and (until is None or began <= until)

    def account(self):
        """Ends it; counts, when all is well."""
        results = [self.result_of(client) for client in self.processes[1:]]
        seen = self.result_of(self.origin)
        failures = [failure for result in results for failure in result["failures"]]
        answers = [answer for result in results for answer in result["answers"]]
        names = collections.Counter(name for name, *_ in answers)
        assert not failures, failures[:5]
        assert all(count == 1 for count in names.values())
        lost = [name for name in names if name not in seen]
        doubled = [name for name, count in seen.items() if count != 1]
        unasked = [name for name in seen if name not in names]
        assert not (lost or doubled or unasked), (lost[:5], doubled[:5], unasked[:5])
        wrong = [answer for answer in answers if not self.is_allowed(*answer[1:])]
        assert not wrong, [(answer, self.generations.get(answer[3])) for answer in wrong[:5]]
        counts = sum((collections.Counter(result["counts"]) for result in results), collections.Counter())
        assert counts["requests"] == len(answers) == len(seen)
        counts["generations"] = len({generation for *_, generation in answers})
        return counts

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "origin":
        asyncio.run(run_origin())
    else:
        run_client(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
