#!/usr/bin/env python3
"""What `adit check` claims of random rule files, against every request there is: findings.py ADIT

Each round writes rule files over small domains (a few texts, numbers, times, addresses; missing and
repeated values too), asks `adit check` for findings, and `adit explain --batch` for the decision on
each request of the whole domain. No finding may be refuted by a request; a witness must show what it
is said to show. That a finding is not made is no mistake; but most of what is there must be found.

Files that are made to be hard (ten thousand rules of anything, deep nesting, choices in choices) must be
checked, too: within a time and a memory that would never do if a proof had no bound.

The seed is fixed, so that a run is the same each time; another may follow the program, with a number of
rounds. The last line is "N passed, N failed".
"""

import collections
import datetime
import functools
import itertools
import json
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile

ROUNDS, ROUTES, TIMEOUT_SECONDS = 3, 50, 300
REQUESTS_MAX = 120
NOW = "2026-06-01T00:00:00Z"
TIMES = ["2026-05-01T00:00:00Z", "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z"]
BOUNDS = ["2026-05-15", "2026-06-01T00:00:00Z", "2026-06-02T12:00:00Z"]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TIMES_OF_DAY = ["06:00", "12:00", "22:00", "23:59:59"]
ZONES = {None: 0, "Asia/Shanghai": 8}  # hours ahead of UTC


def instants():
    """A week around NOW, with the ends of what TIMES_OF_DAY divide a day into, in each zone."""
    seconds = {0} | {60 * 60 * int(hour) + after for hour in (6, 12, 22) for after in (-1, 0, 1)} | {86398, 86399}
    first = datetime.datetime(2026, 5, 29)
    found = {first + datetime.timedelta(days=day, seconds=second, hours=-ahead)
             for day in range(7) for second in seconds for ahead in ZONES.values()}
    return sorted(moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in found)

CONFIG = {
    "listen": [{"address": "127.0.0.1:0"}],
    "rules": ["route-*.json"],
    "attributes": {
        "one": {"type": "string", "from": [{"header": "X-One"}]},
        "user.id": {"type": "string", "from": [{"header": "X-User-Id"}]},
        "score": {"type": "number", "from": [{"header": "X-Score"}]},
        "scores": {"type": "number", "from": [{"header": "X-Scores", "trust": "anyone"}]},
        "born": {"type": "time", "from": [{"header": "X-Born"}]},
        "app": {"type": "version", "from": [{"header": "X-App", "regex": "v=([0-9.]+)"}]},
        "flag": {"type": "bool", "from": [{"header": "X-Flag"}]},
        "list": {"type": "list", "from": [{"header": "X-List"}]},
    },
    "segments": {"gateway": {"one": "a"}},
    "upstreams": {name: {"endpoints": ["127.0.0.1:9001"]} for name in ("v1", "canary")},
}

TEXTS = ["a", "b", "ab", "ba"]
NUMBERS = [0, 1, 1.5, 2]
PATTERNS = ["^a", "b$", "a|b", "a.*b", "^(a|ba)$", "^.*$", "x*", "[ab]+$", "^a[^b]*$"]


def texts(rng):
    return rng.choice([
        lambda: {"eq": rng.choice(TEXTS)}, lambda: {"ne": rng.choice(TEXTS)},
        lambda: {"in": rng.sample(TEXTS, 2)}, lambda: {"not_in": rng.sample(TEXTS, 2)},
        lambda: {"starts_with": rng.choice(TEXTS)}, lambda: {"ends_with": rng.choice(TEXTS)},
        lambda: {"contains": rng.choice(TEXTS)}, lambda: {"ends_with": rng.sample(TEXTS, 2)},
        lambda: {"starts_with": rng.choice(["A", "b"]), "ignore_case": True},
        lambda: {"matches": rng.choice(PATTERNS)},
        lambda: {"bucket_in": rng.choice([[0, 50], [50, 100], [0, 25], [25, 75]])},
    ])()


def ordered(rng, values):
    low, high = sorted(rng.sample(range(len(values)), 2))
    return rng.choice([
        {"eq": values[low]}, {"ne": values[low]}, {"in": [values[low], values[high]]},
        {"gt": values[low]}, {"gte": values[high]}, {"lt": values[high]}, {"lte": values[low]},
        {"between": [values[low], values[high]]}, {"gte": values[low], "lt": values[high]},
    ])


def header(name, values, several=False):
    """The ways in which a request can have a header: not at all, with one value, with two."""
    ways = [{}] + [{name: value} for value in values]
    return ways + [{name: list(pair)} for pair in itertools.combinations(values, 2)] if several else ways


def born(rng):
    return ordered(rng, ["2026-01-01", "2026-02-01", "2026-03-01"])


def ages(rng):
    return ordered(rng, ["-1d", "1d", "90d", "120d"])


def weekdays(rng):
    some = rng.sample(WEEKDAYS, rng.randint(1, 6))
    return rng.choice([{"eq": some[0]}, {"ne": some[0]}, {"in": some}, {"not_in": some}])


def times_of_day(rng):
    low, high = rng.sample(TIMES_OF_DAY, 2)
    return {"between": [low, high]} if rng.random() < 0.4 else ordered(rng, TIMES_OF_DAY)


ADDRESSES = ["10.0.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1"]
NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0", "192.0.2.1", "2001:db8::/32"]


def address(rng):
    return rng.choice([{"in_cidr": rng.choice(NETWORKS)}, {"in_cidr": rng.sample(NETWORKS, 2)},
                       {"eq": rng.choice(ADDRESSES)}, {"ne": rng.choice(ADDRESSES)}])


PATHS = ["/", "/a", "/a/b", "/ab", "/b"]


def path(rng):
    return rng.choice([{"under": rng.choice(PATHS)}, {"eq": rng.choice(PATHS)},
                       {"starts_with": rng.choice(PATHS)}, {"not_in": rng.sample(PATHS, 2)}])


AGENTS = ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)", "Mozilla/5.0 (Linux; Android 15; SM-X910)",
          "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Firefox/133.0", "curl/8.4.0"]

# attribute: (conditions on it, the part of a request that gives it, by its ways)
ATTRIBUTES = {
    "one": (texts, "headers", header("X-One", [*TEXTS, "c", ""])),
    "header.h": (texts, "headers", header("H", [*TEXTS, "c"], True)),
    "query.q": (texts, "query", ["", "?q=a", "?q=b&q=ab", "?q=c", "?q"]),
    "list": (texts, "headers", header("X-List", ["a", "b", "a,b", "ab, c", ","])),
    "user.id": (texts, "headers", header("X-User-Id", ["a", "b", "u1", "u2", "u3", "u4", ""])),
    "score": (lambda rng: ordered(rng, NUMBERS), "headers",
              header("X-Score", ["-1", "0", "0.5", "1", "1.2", "1.50", "2", "3", "x"])),
    "scores": (lambda rng: ordered(rng, NUMBERS), "headers", header("X-Scores", ["0", "1", "1.7", "2", "9"], True)),
    "born": (born, "headers", header("X-Born", ["2025-12-31", "2026-01-01", "2026-01-15", "2026-02-01",
                                                "2026-02-28T23:59:59Z", "2026-03-01", "2026-07-01"])),
    "born.age": (ages, "headers", header("X-Born", ["2026-01-01", "2026-02-15", "2026-05-31",
                                                    "2026-06-01T12:00:00Z", "2026-09-01"])),
    "app": (lambda rng: ordered(rng, ["1", "1.2", "1.10", "2.0.0"]), "headers",
            header("X-App", ["v=0", "v=1.0", "v=1.2", "v=1.3", "v=1.10.0", "v=2", "v=7", "none"])),
    "flag": (lambda rng: rng.choice([{"eq": True}, {"eq": False}, {"ne": True}, {"in": [True, False]}]),
             "headers", header("X-Flag", ["true", "false", "yes"])),
    "client_ip": (address, "client_ip", ADDRESSES + ["203.0.113.9"]),
    "path": (path, "path", [*PATHS, "/a/b/c", "/abc"]),
    "method": (lambda rng: rng.choice([{"eq": "GET"}, {"in": ["GET", "POST"]}, {"ne": "GET"}]),
               "method", ["GET", "POST", "PUT"]),
    "now": (lambda rng: ordered(rng, BOUNDS), "now", TIMES),
    "device": (lambda rng: rng.choice([{"eq": "mobile"}, {"in": ["mobile", "tablet"]}, {"ne": "bot"}]), "headers",
               header("User-Agent", [*AGENTS, "who knows"])),
    "browser.version": (lambda rng: ordered(rng, ["17", "17.1", "100", "120.0.1"]), "headers",
                        header("Sec-CH-UA", [f'"Google Chrome";v="{v}"' for v in ("17.0", "17.1", "18", "110", "121")])),
    "language": (lambda rng: rng.choice([{"eq": "de"}, {"starts_with": ["de", "fr"]}, {"not_in": ["de", "fr-CH"]}]),
                 "headers", header("Accept-Language", ["de", "de-AT, en;q=0.5", "en;q=0.5, FR-ch", "it", "*"])),
    "now.weekday": (weekdays, "now", instants()),
    "now.time": (times_of_day, "now", instants()),
}


def leaf(rng, names):
    name = rng.choice(names)
    if rng.random() < 0.15:
        return {name: {"exists": rng.random() < 0.5}}
    operators = ATTRIBUTES[name][0](rng)
    if rng.random() < 0.2:
        operators["missing"] = rng.random() < 0.5
    return {name: operators}


def condition(rng, names, depth=2):
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return leaf(rng, names)
    if kind < 0.7:
        return {"not": condition(rng, names, depth - 1)}
    if kind < 0.75:
        return {"segment": rng.choice(["s", "gateway"])}
    return {rng.choice(["all", "any"]): [condition(rng, names, depth - 1) for _ in range(2)]}


def outcome(rng):
    return rng.choice([{"to": "canary"}, {"to": "canary"}, {"to": "v1"}, {"split": {"canary": rng.choice([25, 50])}}])


def window(rng):
    low, high = sorted(rng.sample(range(len(BOUNDS)), 2))
    return rng.choice([{"from": BOUNDS[low]}, {"until": BOUNDS[high]}, {"from": BOUNDS[low], "until": BOUNDS[high]}])


class Route:
    """One rule file, and all requests that its rules can tell apart."""

    def __init__(self, rng, number):
        self.host = f"r{number}"
        names = rng.sample(sorted(ATTRIBUTES), rng.choice([1, 1, 1, 2, 2, 3]))
        rules = []
        for i in range(rng.randint(1, 6)):
            rule = {"id": f"rule{i}", "when": condition(rng, names), **outcome(rng)}
            if rng.random() < 0.1:
                del rule["when"]
            elif "user.id" in names and rng.random() < 0.3:
                rule = {"id": f"rule{i}", "when": {"user.id": {"bucket_in": rng.choice([[0, 25], [50, 100], [20, 30]])}},
                        "split": {"canary": rng.choice([25, 50, 0, 100])}}
            if rng.random() < 0.1:
                rule["window"] = window(rng)
            rules.append(rule)
        self.document = {
            "route": self.host, "match": {"hosts": [self.host]}, "variants": {"v1": "v1", "canary": "canary"},
            "segments": {"s": condition(rng, names, 0)}, "rules": rules,
            **({"default": {"split": {"canary": 25}}} if rng.random() < 0.3 else {})}
        if rng.random() < 0.3:
            self.document["match"]["path_prefix"] = "/a"
        if rng.random() < 0.3:
            self.document["sticky"] = False
        zone = rng.choice(sorted(ZONES, key=str))
        if zone:
            self.document["time_zone"] = zone
        asked = set(names) | {"one"} | ({"born"} if "born.age" in names else set())
        self.requests = self.every_request(rng, sorted(asked))

    def every_request(self, rng, names):
        ways = [ATTRIBUTES[name][2] for name in names]
        whole = 1
        for way in ways:
            whole *= len(way)
        chosen = itertools.product(*ways) if whole <= REQUESTS_MAX else \
            ([rng.choice(way) for way in ways] for _ in range(REQUESTS_MAX))
        return [self.request(rng, dict(zip(names, values))) for values in chosen]

    def request(self, rng, values):
        request, headers = {"now": values.get("now", rng.choice(TIMES))}, {}
        target, query = "/a", ""
        for name, value in values.items():
            where = ATTRIBUTES[name][1]
            if where == "headers":
                headers.update(value)
            elif where == "query":
                query = value
            elif where == "path":
                target = value
            else:
                request[where] = value
        pin = {"pin": "canary"} if rng.random() < 0.2 else {}
        return {"url": f"http://{self.host}{target}{query}", "headers": headers, **request, **pin}


# ---- the program ---------------------------------------------------------------------------------

class Adit:
    def __init__(self, binary, folder):
        self.binary = str(pathlib.Path(binary).resolve())
        self.folder = pathlib.Path(folder)
        (self.folder / "adit.json").write_text(json.dumps(CONFIG))

    def run(self, *arguments, stdin=""):
        return subprocess.run([self.binary, *arguments], cwd=self.folder, input=stdin,
                              capture_output=True, encoding="utf-8", timeout=TIMEOUT_SECONDS, check=False)

    def write(self, documents):
        for path in self.folder.glob("route-*.json"):
            path.unlink()
        for document in documents:
            text = json.dumps(document)
            (self.folder / f"route-{document['route']}.json").write_text(text)

    def decide(self, requests):
        done = self.run("explain", "-c", "adit.json", "--batch", "--trace",
                        stdin="".join(json.dumps(request) + "\n" for request in requests))
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(requests):
            raise AssertionError(done.stderr)
        return answers

    def findings(self):
        """Of each route its findings: [(message, witness or None)]."""
        found = collections.defaultdict(list)
        done = self.run("check", "-c", "adit.json", "--now", NOW)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        for line in done.stderr.splitlines():
            match = re.match(r"route-(\w+)\.json:\d+:\d+: (warning|note): (.*)", line)
            if match and match[2] == "warning":
                found[match[1]].append([match[3], None])
            elif match and match[3].startswith("witness: "):
                found[match[1]][-1][1] = json.loads(match[3].removeprefix("witness: "))
        return found


# ---- what findings claim -------------------------------------------------------------------------

NO_MORE_THAN_A_TEXT = re.compile(r'the pattern (".*?") is no more than a text: write (.*)')


def written_instead(node, pattern, instead):
    """A rule file with each `matches` of the pattern written as a finding says."""
    if isinstance(node, list):
        return [written_instead(item, pattern, instead) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("matches") == pattern:
        return {**{key: value for key, value in node.items() if key != "matches"}, **instead}
    return {key: written_instead(value, pattern, instead) for key, value in node.items()}


class Claim:
    """A finding of a route, and what the program decides that shows whether it holds."""

    def __init__(self, route, message, witness):
        self.route, self.message, self.witness = route, message, witness
        match = re.match(r"rule '(\w+)': (.*)", message)
        self.rule, self.text = match.groups() if match else (None, message)
        self.kind = kind_of(self.text)
        self.answer = None   # to the witness
        self.otherwise = []  # the decisions that other() asks for

    def other(self):
        """(the route with something changed, the requests that are decided with it), or None."""
        document = self.route.document
        if self.text.startswith("can never match") and self.witness:
            alone = [one for one in document["rules"] if one["id"] == self.rule]
            return {**document, "rules": alone}, [self.witness]
        if self.text.startswith("changes nothing"):
            rest = [one for one in document["rules"] if one["id"] != self.rule]
            return {**document, "rules": rest}, self.route.requests
        if match := NO_MORE_THAN_A_TEXT.match(self.text):
            return written_instead(document, json.loads(match[1]), json.loads(f"{{{match[2]}}}")), self.route.requests
        return None


def is_future(request):
    return request["now"] >= NOW


def refute(claim, decided):
    """A request that refutes a claim, or None. `decided`: (request, decision)."""
    rule, text = claim.rule, claim.text

    def first(wrong):
        return next((request for request, answer in decided if wrong(request, answer)), None)

    def first_changed(*keys):
        return next((request for (request, before), after in zip(decided, claim.otherwise)
                     if any(before[key] != after[key] for key in keys)), None)

    if text.startswith("can never match"):
        return first(lambda _, answer: answer["rule"] == rule)
    if text.startswith("can no longer match"):
        return first(lambda request, answer: answer["rule"] == rule and is_future(request))
    if match := re.match(r"'now' ((?:window )?\w+) (.*) holds at any time", text):
        return first(lambda request, answer: is_future(request) and any(
            one["attribute"] == "now" and one["op"] == match[1] and json.dumps(one["value"]) == match[2]
            and one["result"] is not True
            for entry in answer["rules"] if entry["id"] == rule for one in entry["conditions"]))
    if match := re.match(r"the split draws \w+: all(?: who have '[\w.]+'( and no pin)?)? get '(\w+)'", text):
        return first(lambda _, answer: answer["rule"] == rule and answer["variant"] != match[2]
                     and (answer["bucket"] is not None or answer["reason"] == "pinned" and not match[1]))
    if text.startswith("changes nothing"):
        return first_changed("variant")
    if match := re.match(r'the pattern (".*?") matches every text', text):
        return first(lambda _, answer: any(
            one["op"] == "matches" and json.dumps(one["value"]) == match[1] and one["seen"] is not None
            and one["result"] is not True for entry in answer["rules"] for one in entry["conditions"]))
    if NO_MORE_THAN_A_TEXT.match(text):
        return first_changed("rule", "variant")
    return None


def refute_witness(claim):
    """Why a witness does not show its claim, or None."""
    answer = claim.answer
    if claim.text.startswith("can never match"):
        [alone] = claim.otherwise
        if alone["rule"] != claim.rule or answer["rule"] in (claim.rule, None):
            return f"alone {alone['rule']}, with the others {answer['rule']}"
        if " more " not in claim.text and answer["rule"] not in re.findall(r"'(\w+)' \(line", claim.text):
            return f"decided by {answer['rule']}, which is not named"
    elif answer.get("rule") != claim.rule:
        return f"decided by {answer.get('rule')}: {answer}"
    return None


def kind_of(claim):
    for kind in ("can never match: rule", "can never match", "can no longer", "changes nothing",
                 "draws", "matches every", "no more than", "holds at any time"):
        if kind in claim:
            return kind
    return None


class Results:
    def __init__(self):
        self.passed = self.failed = self.facts = self.facts_found = 0
        self.claims = collections.Counter()

    def fail(self, route, *lines):
        self.failed += 1
        print("FAILED", *lines)
        print(f"  {json.dumps(route.document)}")


def check_route(route, claims, decided, results):
    claimed = set()
    for claim in claims:
        results.claims[claim.kind] += 1
        if claim.text.startswith("can n"):
            claimed.add(claim.rule)
        refuted = refute(claim, decided)
        if refuted:
            results.fail(route, f"{claim.message}: refuted by {json.dumps(refuted)}")
        wrong = refute_witness(claim) if claim.witness else None
        if wrong:
            results.fail(route, f"{claim.message}: witness {json.dumps(claim.witness)}: {wrong}")
        results.passed += not refuted and not wrong
    deciding = {answer["rule"] for _, answer in decided}
    never = {rule["id"] for rule in route.document["rules"]} - deciding
    results.facts += len(never)
    results.facts_found += len(never & claimed)


def ask_otherwise(adit, claims):
    """What each claim asks of its route with something changed: one of each route at once."""
    left = [(claim, *other) for claim in claims if (other := claim.other())]
    while left:
        now = list({claim.route.host: (claim, *other) for claim, *other in reversed(left)}.values())
        adit.write([document for _, document, _ in now])
        answers = iter(adit.decide([request for _, _, requests in now for request in requests]))
        for claim, _, requests in now:
            claim.otherwise = [next(answers) for _ in requests]
        asked = {id(claim) for claim, _, _ in now}
        left = [one for one in left if id(one[0]) not in asked]


def check_round(adit, rng, results):
    routes = [Route(rng, number) for number in range(ROUTES)]
    adit.write([route.document for route in routes])
    findings = adit.findings()
    claims = {route.host: [claim for claim in itertools.starmap(functools.partial(Claim, route), findings[route.host])
                           if claim.rule and claim.kind] for route in routes}
    every_claim = list(itertools.chain(*claims.values()))
    witnessed = [claim for claim in every_claim if claim.witness]
    answers = iter(adit.decide([*(request for route in routes for request in route.requests),
                                *(claim.witness for claim in witnessed)]))
    decided = {route.host: [(request, next(answers)) for request in route.requests] for route in routes}
    for claim in witnessed:
        claim.answer = next(answers)
    ask_otherwise(adit, every_claim)
    for route in routes:
        check_route(route, claims[route.host], decided[route.host], results)


# ---- files that are hard -------------------------------------------------------------------------

HARD_BYTES_MAX = 2 << 30
HARD_CPU_SECONDS_MAX = 20  # a release build takes about one


def anything(rng, depth):
    """A condition over many attributes and values."""
    kind = rng.random()
    if depth == 0 or kind < 0.4:
        return rng.choice([
            {"one": f"r{rng.randrange(60)}"}, {"score": {"gt": rng.randrange(60)}},
            {f"header.h{rng.randrange(9)}": {"contains": "x" * rng.randint(1, 9)}},
            {"query.q": {"matches": f"a+b{rng.randrange(9)}"}}, {"born": {"before": 1700000000 + rng.randrange(10**8)}},
            {"user.id": {"bucket_in": [rng.randrange(50), 50 + rng.randrange(1, 50)]}},
            {"client_ip": {"in_cidr": f"10.{rng.randrange(256)}.0.0/16"}}, {"list": {"ne": "a", "missing": True}}])
    if kind < 0.6:
        return {"not": anything(rng, depth - 1)}
    return {rng.choice(["all", "any"]): [anything(rng, depth - 1) for _ in range(rng.randint(1, 4))]}


def nested(depth):
    """Choices within choices, as deep as a file goes."""
    condition = {"one": "a"}
    for level in range(depth):
        other = {f"header.h{level}": "b", f"query.q{level}": {"contains": "c"}}
        condition = {"any" if level % 2 else "all": [other, {"not": condition}]}
    return condition


def hard_files(rng):
    yield "garbage", [anything(rng, 4) for _ in range(10_000)]
    yield "equal", [{"one": f"r{i}", "header.h": f"v{i % 7}"} for i in range(10_000)]
    yield "choices", [{"any": [{"one": f"r{i}"}, {"score": i}, {"user.id": f"u{i}"}]} for i in range(10_000)]
    yield "patterns", [{"header.h": {"matches": f"(a+|b{i})+c*"}} for i in range(2_000)]
    yield "intervals", [{"score": {"between": [i % 97, i % 97 + rng.randint(1, 50)]}, "query.q": {"ne": f"{i}"},
                         "one": {"starts_with": f"p{i % 13}"}} for i in range(2_000)]
    yield "nested", [nested(18) for _ in range(200)]
    yield "products", [{"all": [{"any": [{f"header.a{k}": f"{i}"}, {f"header.b{k}": f"{i}"}]} for k in range(30)]}
                       for i in range(200)] + [{"not": {"any": [{f"header.a{k}": "1"} for k in range(30)]}}]


def check_hard(adit, rng, results):
    for name, conditions in hard_files(rng):
        adit.write([{"route": name, "variants": {"v1": "v1", "canary": "canary"},
                     "rules": [{"id": f"r{i}", "when": when, **({"split": {"canary": i % 99 + 1}} if name == "intervals" else
                                                                {"to": rng.choice(["v1", "canary"])})}
                               for i, when in enumerate(conditions)]}])
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        done = adit.run("check", "-c", "adit.json")
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        fine = done.returncode == 0 and used < HARD_BYTES_MAX and seconds < HARD_CPU_SECONDS_MAX
        if not fine:
            print(f"FAILED {name}: exit status {done.returncode}, {used} bytes, {seconds:.1f} s\n{done.stderr[-2000:]}")
        results.passed, results.failed = results.passed + fine, results.failed + (not fine)


def main(arguments):
    if not 1 <= len(arguments) <= 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    rng = random.Random(int(arguments[1]) if len(arguments) > 1 else 1)
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        adit = Adit(arguments[0], folder)
        for _ in range(int(arguments[2]) if len(arguments) > 2 else ROUNDS):
            check_round(adit, rng, results)
        check_hard(adit, rng, results)
    for kind, count in sorted(results.claims.items()):
        print(f"{count} times: {kind}")
    print(f"of {results.facts} rules that decide none of the requests, {results.facts_found} were found")
    if results.facts_found * 2 < results.facts:
        print("FAILED: that is less than half")
        results.failed += 1
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
