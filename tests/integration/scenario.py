"""scenario: steady load on stable and a canary, whose endpoints fail one after another and come back.

Pods are nginx. Browsers ask all the time, each over a connection of its own, for several members; a fifth of the
members is the canary's, by a split that pins. What must hold of each answer is judged when it comes:

  - it is a good one, but for a POST that had been sent and an answer that had begun when its endpoint was harmed:
    those are counted, and nothing else can be excused;
  - who is not the canary's never gets the canary;
  - who is gets it by the pin, or else stable, because it fails over, without a cookie.
"""
import collections
import itertools
import os
import signal
import threading
import time

from harness import DEADLINE, request
from nginx import SERVER, Nginx
from peers import EarlyEnd
from visitors import Visitor, keys, set_cookies

BROWSERS, CANARY_MEMBERS, STABLE_MEMBERS, PERCENT = 8, 8, 32, 20
PAUSE_S = 0.004      # of a browser between two requests: the load is steady, and not all that is possible
FILE_BYTES = 200_000
SLOW_S, SLOW_TIMES = 0.15, 5  # how long a slow pod stands still, and how often
POST_EACH, FILE_EACH = 4, 7   # so many requests

CHECK = {"path": "/healthz", "interval": "250ms", "timeout": "250ms", "healthy": 2, "unhealthy": 2}
RETRY = {"attempts": 3, "try_timeout": "300ms", "budget_minimum": 1000}
UPSTREAM = {"connect_timeout": "2s", "timeout": "2s", "retry": RETRY}
OUTLIERS = {"consecutive_failures": 2, "ejection_time": "500ms", "max_ejection_time": "500ms"}
RULES = {"expose_decision": True, "default": {"split": {"canary": PERCENT}}}

POD = SERVER.replace("LOCATIONS", """reset_timedout_connection on;
    location / {{ if (-f {directory}/resets) {{ return 444; }} return 200 {name}; }}
    location /files/ {{ if (-f {directory}/resets) {{ return 444; }} root {directory}; }}""")


class Harm:
    """From when on a pod was harmed, and until when requests may have been sent to it."""

    def __init__(self):
        self.began, self.known = time.monotonic(), float("inf")


class Pod(Nginx):
    """One that can be harmed, and healed again."""

    def __init__(self, name, directory):
        super().__init__(name, directory, POD)
        self.write_file("large", name.encode().ljust(FILE_BYTES, b"."))
        self.resets = os.path.join(self.directory, "resets")
        self.how = None
        self.harms = []

    @property
    def harmed(self):
        return self.harms[-1]

    def harm(self, how):
        self.how = how
        self.harms.append(Harm())
        if how == "killed":
            self.stop(signal.SIGKILL)
        elif how == "stopped":
            self.process.send_signal(signal.SIGSTOP)
        elif how == "reset":
            open(self.resets, "wb").close()

    def heal(self):
        if self.how == "killed":
            self.start()
        elif self.how == "stopped":
            self.process.send_signal(signal.SIGCONT)
        elif self.how == "reset":
            os.unlink(self.resets)
        self.how = None

    def be_slow(self):
        for _ in range(SLOW_TIMES):
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(SLOW_S)
            self.process.send_signal(signal.SIGCONT)
            time.sleep(SLOW_S / 3)


class Member(Visitor):
    def __init__(self, user, is_canary):
        super().__init__(f"X-User-Id: {user}")
        self.is_canary = is_canary
        self.asked = 0
        self.canary_answers = 0

    def sent(self, method, target):
        lines = list(self.lines)
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        return request(f"{method} {target} HTTP/1.1", *lines, body=b"an order" if method == "POST" else None)


class Crowd:
    """The load, and what came of it."""

    def __init__(self, bench, pods):
        self.bench, self.pods = bench, pods
        self.news = threading.Condition()
        self.is_over = False
        self.problems = []
        self.counts = collections.Counter()
        self.members = [Member(user, True) for user in keys("shop", 0, PERCENT * 100, CANARY_MEMBERS)] + \
                       [Member(user, False) for user in keys("shop", PERCENT * 100, 10000, STABLE_MEMBERS)]
        self.threads = [threading.Thread(target=self.browse, args=(self.members[i::BROWSERS],), daemon=True)
                        for i in range(BROWSERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), "a browser hangs"
        self.expect_no_problem()

    # ---- a browser

    def browse(self, members):
        try:
            client = self.bench.client()
            for n, member in enumerate(itertools.cycle(members)):
                if self.is_over:
                    return
                # Whoever it is, and whatever its turn: n alone would give each member one kind.
                kind = n // len(members)
                method = "POST" if kind % POST_EACH == 0 else "GET"
                target = "/files/large" if method == "GET" and kind % FILE_EACH == 0 else "/"
                if not self.ask(client, member, method, target):
                    client.close()
                    client = self.bench.client()
                time.sleep(PAUSE_S)
        except Exception as error:
            self.problem(f"a browser: {error!r}")

    def ask(self, client, member, method, target):
        """One exchange. Whether the connection goes on."""
        began, head = time.monotonic(), None
        sent = member.sent(method, target)
        self.count(sent=1, sent_pinned=bool(member.cookies))
        try:
            client.send(sent)
            head = client.read_head()
            client.read_body(head)
        except (EarlyEnd, OSError) as error:
            self.failed(began, "cut" if head else None, f"{method} {target}: {error!r}")
            return False
        if head.status == 200:
            self.judge(member, head)
        else:
            lost = "posts_lost" if method == "POST" and head.status in (502, 504) else None
            self.failed(began, lost, f"{method} {target}: {head.head!r} {head.body!r}")
        with self.news:
            member.asked += 1
            self.news.notify_all()
        return not head.has("Connection")

    def judge(self, member, answer):
        pod = answer.body[:10].rstrip(b".").decode().partition("-")[0]
        decision = answer.one("X-Adit-Decision").decode()
        variant, _, reason = decision.removeprefix("variant=").partition("; reason=")
        cookies = set_cookies(answer)
        first = not member.cookies
        if not member.is_canary:
            allowed = {("v1", "default")}
        else:
            allowed = {("canary", "default" if first else "pinned"), ("v1", "failover")}
        wants_cookie = variant == "canary" and first
        if (variant, reason) not in allowed or pod != variant or bool(cookies) != wants_cookie:
            self.problem(f"{member.lines} with {member.cookies}: {decision}, by {answer.body[:20]!r}, cookies {cookies}")
        member.cookies.update(cookies)
        self.count(good=1, failovers=reason == "failover", cookies=len(cookies))
        with self.news:
            member.canary_answers += variant == "canary"

    def failed(self, began, kind, what):
        """Excused is only what may have been with a pod when that was harmed."""
        ended = time.monotonic()
        if kind and any(harm.began <= ended and began <= harm.known for pod in self.pods for harm in list(pod.harms)):
            self.count(**{kind: 1})
        else:
            self.problem(what)

    def count(self, **counts):
        with self.news:
            self.counts.update({name: int(n) for name, n in counts.items()})

    def problem(self, what):
        with self.news:
            self.problems.append(what)
            self.news.notify_all()

    # ---- watching it

    def expect_no_problem(self):
        assert not self.problems, f"{len(self.problems)} problems, the first: {self.problems[0]}"

    def wait(self, is_done, what):
        with self.news:
            done = self.news.wait_for(lambda: is_done() or self.problems, 3 * DEADLINE)
        self.expect_no_problem()
        assert done, f"{what}: not after {3 * DEADLINE} s"

    def wait_all_have_asked(self, times=2):
        """Everybody, so often from now on; one more may have been under way."""
        until = {member: member.asked + times + 1 for member in self.members}
        self.wait(lambda: all(member.asked >= n for member, n in until.items()), "not everybody has asked")

    def wait_all_have_seen_canary(self):
        until = {member: member.canary_answers + 2 for member in self.members if member.is_canary}
        self.wait(lambda: all(member.canary_answers >= n for member, n in until.items()), "not all have the canary")

    def expect_canary(self, seen):
        """In what everybody asks now the canary answers all of its members, or none."""
        before = self.counts["failovers"], sum(member.canary_answers for member in self.members)
        self.wait_all_have_asked()
        failovers = self.counts["failovers"] - before[0]
        answers = sum(member.canary_answers for member in self.members) - before[1]
        assert (answers > 0 and failovers == 0) if seen else (answers == 0 and failovers > 0), (answers, failovers)


class Scenario:
    """A gateway with pods behind it, under load."""

    def __init__(self, bench, canaries=3, stables=2, checked=True):
        self.bench = bench
        directory = bench.directory.name
        self.canaries = [Pod(f"canary-{i}", directory) for i in range(canaries)]
        self.stables = [Pod(f"v1-{i}", directory) for i in range(stables)]
        self.pods = self.canaries + self.stables
        self.checked = checked
        self.upstream = {**UPSTREAM, **({"health_check": CHECK} if checked else {"outlier_detection": OUTLIERS})}
        self.crowd = Crowd(bench, self.pods)
        self.harmed = self.healed = 0

    def start(self):
        for pod in self.pods:
            pod.start()
        self.bench.start(config={
            "workers": 2,
            "trusted_proxies": ["127.0.0.0/8"],
            "attributes": {"user.id": {"type": "string", "from": [{"header": "X-User-Id"}]}},
            "upstreams": {name: {**self.upstream, "load_balancing": "least_requests"}
                          for name in ("shop-v1", "shop-canary")},
        }, rules=RULES, v1=self.stables, canary=self.canaries)
        self.crowd.start()
        self.crowd.wait_all_have_seen_canary()

    def harm(self, pod, how):
        """Returns when the gateway knows it: from then on nothing more is sent there; without checks it goes on trying
        now and then."""
        since = len(self.bench.gateway.lines)
        pod.harm(how)
        self.bench.gateway.wait_line(rf"endpoint {pod.address} is " + ("unhealthy: " if self.checked else "left out for "), since)
        if self.checked:
            pod.harmed.known = time.monotonic()
        self.harmed += 1
        self.crowd.expect_no_problem()

    def heal(self, pod):
        """Returns when it is known to be healthy again; without checks at once."""
        since = len(self.bench.gateway.lines)
        pod.heal()
        if self.checked:
            self.bench.gateway.wait_line(rf"endpoint {pod.address} is healthy again$", since)
            self.healed += 1
        else:
            pod.harmed.known = time.monotonic()
        self.crowd.expect_no_problem()

    def slow(self, pod):
        """Stands still again and again, never for so long that an answer would be given up."""
        pod.be_slow()
        self.crowd.expect_no_problem()

    def end(self):
        """The gateway's counters, beside what the crowd has seen."""
        self.crowd.stop()
        for pod in self.pods:
            if pod.how:
                pod.heal()
        counters = collections.Counter(self.bench.counters())
        seen = self.crowd.counts
        lost = seen["posts_lost"] + seen["cut"]
        assert counters["requests"] == seen["sent"], (counters, seen)
        assert seen["good"] + lost == seen["sent"], seen
        assert seen["failovers"] <= counters["failovers"] <= seen["failovers"] + lost, (counters, seen)
        assert seen["cookies"] == CANARY_MEMBERS <= counters["cookies_set"] <= CANARY_MEMBERS + lost, (counters, seen)
        assert counters["pinned"] == seen["sent_pinned"], (counters, seen)
        if self.checked:
            assert counters["health_unhealthy"] >= self.harmed and counters["health_recovered"] >= self.healed, counters
        else:
            assert counters["ejections"] >= self.harmed, counters
        return counters, seen

    def close(self):
        """Leaves nothing behind, whatever happened."""
        self.crowd.is_over = True
        for pod in self.pods:
            pod.release()
