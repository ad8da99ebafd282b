"""strays: many clients, and an origin that says more than it was asked for.

Each request has an id, each response carries the id of the request that it answers, and what nobody
asked for carries a mark. What an origin does with a request follows from the seed and the request's
id, so that the client knows what it may get: its own answer whole; or, where the origin broke off,
a 502 or a cut. Anything else, above all a mark or another's id, is a failure.

The rounds have a barrier between them, where no request is under way, those of clients that have
left included. There the origin sends strays on connections that rest: a byte which is there before
the next request is sent must never be taken for its answer. (One that comes later, while the request
is on its way, could not be told from it by anybody.)
"""
import random
import threading

from harness import Task, chunked, message, request, response
from peers import EarlyEnd
from sockets import CLOSE_WAIT, ESTABLISHED, tcp_sockets, wait_for

MARK = b"stray"
STRAY = response("200 OK", "X-Stray: 1", body=MARK)
SURPLUS = [STRAY, STRAY * 2, b"\n", b"HTTP/1.1 200 OK\r\n", b"\r\n" + STRAY, message("HTTP/1.1 100 Continue"),
           message("HTTP/1.1 204 No Content"), b"0\r\n\r\n", STRAY[:-3]]
# What the client gets is its own answer, whole.
GOOD = ["length"] * 8 + ["chunked"] * 4 + ["interim", "empty", "large"] * 2 + [
    "surplus", "surplus", "surplus in chunks", "surplus of none", "close", "early"]
# What it gets is an error, or the beginning of its own answer.
BROKEN = ["silence", "garbage", "two lengths", "cut", "cut chunks", "half a head"]


def dice_of(seed, number):
    return random.Random(f"{seed}/{number}")


def plan(seed, number):
    """What becomes of a request: its method, its body, and what the origin does."""
    dice = dice_of(seed, number)
    method = dice.choice(["GET", "GET", "GET", "HEAD", "POST", "PUT"])
    body = dice.randbytes(dice.choice([0, 1, 3000, 70_000])) if method in ("POST", "PUT") else b""
    act = dice.choice(BROKEN) if dice.random() < 0.1 else dice.choice(GOOD)
    return method, body, act, dice


def own_body(number, size):
    return (b"answer to %d;" % number) * (1 + size // 16)


class StrayOrigin:
    """Serves what plan() says, on a listening Origin of the bench."""

    def __init__(self, origin, seed):
        self.origin = origin
        self.seed = seed
        self.lock = threading.Lock()
        self.resting = set()  # connections whose last exchange was whole

    def serve(self):
        threading.Thread(target=self.accept_all, daemon=True).start()

    def accept_all(self):
        self.origin.sock.settimeout(None)
        while True:
            try:
                sock, _ = self.origin.sock.accept()
            except OSError:
                return
            peer = self.origin.keep(sock)
            peer.sock.settimeout(None)
            threading.Thread(target=self.serve_one, args=(peer,), daemon=True).start()

    def serve_one(self, peer):
        try:
            while self.answer(peer):
                with self.lock:
                    self.resting.add(peer)
                if not peer.buffer and not peer.fill("a request"):
                    break
        except (OSError, EarlyEnd):
            pass  # the gateway has closed it
        except Exception as error:
            self.origin.failures.append(error)
        with self.lock:
            self.resting.discard(peer)
        peer.close()

    def answer(self, peer):
        """Reads one request and does with it what was planned. False: the connection is to end."""
        head = peer.read_head()
        with self.lock:
            self.resting.discard(peer)
        number = int(head.target.rsplit(b"/", 1)[1])
        method, _, act, dice = plan(self.seed, number)
        if act == "early":
            peer.send(self.good(number, method, act, dice))
            return False
        peer.read_body(head)
        if act in BROKEN:
            peer.send(self.broken(number, act, dice))
            return False
        peer.send(self.good(number, method, act, dice))
        return act != "close"

    def good(self, number, method, act, dice):
        """One whole response, and in some acts what nobody asked for."""
        body = own_body(number, dice.choice([0, 100, 16_000, 17_000]) if act != "large" else 300_000)
        if act == "empty":
            return message("HTTP/1.1 204 No Content", f"X-Answer: {number}")
        if act == "surplus of none":
            status = "304 Not Modified" if method in ("GET", "HEAD") else "204 No Content"
            return message(f"HTTP/1.1 {status}", f"X-Answer: {number}") + dice.choice(SURPLUS)
        lines = [f"X-Answer: {number}", *["Connection: close"] * (act in ("close", "early"))]
        if act in ("chunked", "surplus in chunks"):
            at = dice.randrange(1, len(body))
            whole = message("HTTP/1.1 200 OK", *lines, "Transfer-Encoding: chunked",
                            body=chunked(body[:at], body[at:]) if method != "HEAD" else b"")
        else:
            whole = message("HTTP/1.1 200 OK", *lines, f"Content-Length: {len(body)}",
                            body=body if method != "HEAD" else b"")
        before = message("HTTP/1.1 103 Early Hints", f"X-Answer: {number}") * (act == "interim")
        return before + whole + (dice.choice(SURPLUS) if act.startswith("surplus") else b"")

    def broken(self, number, act, dice):
        body = own_body(number, 1000)
        lines = (f"X-Answer: {number}", f"Content-Length: {len(body)}")
        return {
            "silence": b"",
            "garbage": dice.randbytes(50) + STRAY,
            "two lengths": message("HTTP/1.1 200 OK", *lines, "Content-Length: 5", body=body) + STRAY,
            "cut": message("HTTP/1.1 200 OK", *lines, body=body[:-1]),
            "cut chunks": message("HTTP/1.1 200 OK", lines[0], "Transfer-Encoding: chunked",
                                  body=chunked(body, last=b"") + b"5\r\nxx"),
            "half a head": message("HTTP/1.1 200 OK", *lines)[:-3],
        }[act]

    def send_strays(self, dice):
        """On some of the connections that rest; the number of those."""
        with self.lock:
            resting = [peer for peer in self.resting if dice.random() < 0.5]
        for peer in resting:
            try:
                peer.send(dice.choice([STRAY, STRAY, b"\n", STRAY[:20]]))
            except OSError:
                pass  # given up by the gateway already
        return len(resting)


class Visitor:
    """A client that sends one request after the other and knows what it may get."""

    def __init__(self, bench, seed, first, step):
        self.bench = bench
        self.seed = seed
        self.next = first
        self.step = step
        self.client = None
        self.whole = self.broken = self.left = 0

    def visit(self, requests):
        for i in range(requests):
            number, self.next = self.next, self.next + self.step
            self.ask(number, is_last=i + 1 == requests)

    def ask(self, number, is_last):
        method, body, act, dice = plan(self.seed, number)
        client = self.client = self.client or self.bench.client()
        line = f"{method} /{number} HTTP/1.1"
        if body and dice.random() < 0.5:
            sent = request(line, "Transfer-Encoding: chunked") + chunked(body)
        else:
            sent = request(line, body=body if method in ("POST", "PUT") else None)
        try:
            client.send(sent)
        except OSError:
            assert act == "early", f"{number}, {act}: the request was not taken"
        if dice.random() < 0.05:
            self.left += 1
            self.client = None
            # A connection that was reset is gone from the kernel's tables before the gateway knows.
            client.reset() if dice.random() < 0.5 and not is_last else client.close()
            return
        self.read(client, number, method, act)

    def read(self, client, number, method, act):
        try:
            answer = client.read_head()
            while answer.status < 200:
                assert answer.one("X-Answer") == b"%d" % number, f"{number}: {answer.head!r}"
                answer = client.read_head()
            assert not answer.has("X-Stray"), f"{number}, {act}: {answer.head!r}"
            if answer.status != 502:
                assert answer.one("X-Answer") == b"%d" % number, f"{number}, {act}: {answer.head!r}"
            client.read_body(answer, method)
        except (EarlyEnd, ConnectionResetError) as end:
            assert act in BROKEN, f"{number}, {act}: {end}"
            assert MARK not in client.buffer, f"{number}, {act}: {client.buffer[-100:]!r}"
            self.client = None
            self.broken += 1
            return
        if answer.status == 502:
            assert act in BROKEN, f"{number}, {act}: {answer.body!r}"
            self.broken += 1
        else:
            self.expect_own(number, method, act, answer)
            self.whole += 1
        if answer.all("Connection") == [b"close"]:
            self.client = None

    def expect_own(self, number, method, act, answer):
        assert act not in BROKEN or (method == "HEAD" and act.startswith("cut")), f"{number}: {answer.head!r}"
        if answer.status in (204, 304) or method == "HEAD":
            return
        own = b"answer to %d;" % number
        assert answer.body == own * (len(answer.body) // len(own)) and answer.body, (
            f"{number}, {act}: {answer.body[:80]!r}")


def is_settled(bench, people):
    """Whether the gateway has no connection but those of clients that are there: what others have
    asked for is over."""
    there = {person.client.sock.getsockname()[1] for person in people if person.client}
    return all(local != bench.port or remote in there
               for local, remote, state in tcp_sockets() if state in (ESTABLISHED, CLOSE_WAIT))


def run(bench, seed, visitors, rounds, requests):
    """`visitors` at once in each round, `requests` each; what there was of each kind."""
    origin = StrayOrigin(bench.v1, seed)
    origin.serve()
    bench.start(config={"workers": 2})
    dice = random.Random(seed)
    people = [Visitor(bench, seed, i, visitors) for i in range(visitors)]
    strays = 0
    for _ in range(rounds):
        tasks = [Task(person.visit, requests) for person in people]
        for task in tasks:
            task.result()
        wait_for(lambda: is_settled(bench, people), "the gateway keeps clients that have left")
        strays += origin.send_strays(dice)
    return {"whole": sum(p.whole for p in people), "broken": sum(p.broken for p in people),
            "left": sum(p.left for p in people), "strays at rest": strays}
