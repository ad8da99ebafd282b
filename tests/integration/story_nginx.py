#!/usr/bin/env python3
"""The story that Adit comes from, with real nginx: story_nginx.py BINARY

Three nginx are v1, one is the canary. New users of the east are to see the canary, always the same
version, and nobody who has seen it is to be moved back: not by a new weight, a reload, a mistake in
a file or a canary that was away for a while.

The chapters are told in order, on one gateway. The last line is "N passed, N failed"; a chapter
that fails ends the story, and those that were not told count as failed.
"""
import os
import signal
import sys
import traceback

from harness import Bench, Gateway, request
from nginx import Nginx
from visitors import Visitor, bucket, keys, set_cookies

EAST = ["X-Region: cn-east", "X-User-Registered-At: 2026-03-04T10:00:00Z"]
BROWSERS, MEMBERS, APPS = 300, 200, 300
SIGMAS = 5

CONFIG = {
    "listen": [{"address": "127.0.0.1:0"}],
    "workers": 2,
    "rules": ["rules/*.json"],
    "trusted_proxies": ["127.0.0.0/8"],
    "attributes": {
        "region": {"type": "string", "from": [{"header": "X-Region"}]},
        "user.id": {"type": "string", "from": [{"header": "X-User-Id"}]},
        "user.registered_at": {"type": "time", "from": [{"header": "X-User-Registered-At"}]},
    },
    "sticky": {"keys": [{"id": "test", "file": "sticky.key"}]},
}

EAST_NEW_USERS = {
    "id": "east-new-users",
    "when": {"region": ["cn-east", "cn-north"], "user.registered_at": {"after": "2026-01-01"}},
}

SHOP = {
    "route": "shop",
    "match": {"hosts": ["shop.example.com"]},
    "variants": {"v1": "shop-v1", "canary": "shop-canary"},
    "stable": "v1",
    "expose_decision": True,
}

HELP = {
    "route": "help",
    "match": {"hosts": ["help.example.com"]},
    "variants": {"v1": "shop-v1"},
    "stable": "v1",
}


def version(answer):
    """"v1" or "canary": the first part of the name that a pod gives itself."""
    assert answer.status == 200, answer.head
    return answer.body.decode().partition("-")[0]


def decision(answer):
    return answer.one("X-Adit-Decision").decode()


def expect_share(visitors, canary, percent):
    expected = percent / 100
    sigma = (expected * (1 - expected) / len(visitors)) ** 0.5
    share = len(canary) / len(visitors)
    assert abs(share - expected) <= SIGMAS * sigma, f"{share:.1%} of {len(visitors)} instead of {percent}%"


class Story:
    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory.name
        self.v1 = [self.pod(f"v1-{name}") for name in "abc"]
        self.canary = self.pod("canary")
        self.shop = dict(SHOP)
        # Browsers keep cookies, apps say who they are, members do both.
        self.browsers = [Visitor(*EAST) for _ in range(BROWSERS)]
        self.members = [Visitor(*EAST, f"X-User-Id: member-{i}") for i in range(MEMBERS)]
        self.apps = [Visitor(*EAST, f"X-User-Id: app-{i}", keeps_cookies=False) for i in range(APPS)]
        self.clients = []

    def pod(self, name):
        pod = Nginx(name, self.directory)
        self.bench.keep_pod(pod)
        return pod

    @property
    def gateway(self):
        return self.bench.gateway

    # ---- the people

    def everybody(self):
        return self.browsers + self.members + self.apps

    def client(self, i):
        """One of a few connections, so that both workers have some."""
        while len(self.clients) < 8:
            self.clients.append(self.bench.client())
        return self.clients[i % len(self.clients)]

    def visit(self, visitors, times=2):
        """All come `times` times and see one version each; gives the set of those who see canary."""
        seen = {}
        for turn in range(times):
            for i, visitor in enumerate(visitors):
                got = version(visitor.ask(self.client(i + turn)))
                assert seen.setdefault(visitor, got) == got, f"{visitor.lines} saw {seen[visitor]}, then {got}"
        return {visitor for visitor, got in seen.items() if got == "canary"}

    def ask(self, *lines):
        return Visitor(*lines, keeps_cookies=False).ask(self.client(0))

    def drawn(self, visitors, percent):
        """Those whose bucket lies below a weight: by their id, or by the one in their cookie."""
        def key(visitor):
            said = [line for line in visitor.lines if line.startswith(b"X-User-Id: ")]
            return said[0][11:].decode() if said else visitor.sticky().id
        return {visitor for visitor in visitors if bucket("shop", key(visitor)) < percent * 100}

    # ---- the files

    def write_shop(self):
        self.bench.write("rules/shop.json", self.shop)

    def set_rule(self, **outcome):
        self.shop["rules"] = [{**EAST_NEW_USERS, **outcome}]
        self.write_shop()

    def set_weight(self, percent):
        self.set_rule(split={"canary": percent})

    def reload(self, routes=1):
        said = self.gateway.reload()
        about = (": warning: rule ", ": note: witness: ", "adit: route '", "adit: upstream '")  # findings, changes
        assert [line for line in said if not any(each in line for each in about)] == [f"adit: reloaded: {routes} routes"], said

    def start(self):
        upstreams = {
            "shop-v1": {"endpoints": [pod.address for pod in self.v1], "load_balancing": "round_robin"},
            "shop-canary": {"endpoints": [self.canary.address]},
        }
        for pod in [*self.v1, self.canary]:
            pod.start()
        os.mkdir(os.path.join(self.directory, "rules"))
        self.bench.write_files()
        self.bench.write("adit.json", {**CONFIG, "upstreams": upstreams})
        self.set_rule(to="canary")
        self.bench.run()


# ---- chapters


def default_traffic_sees_v1(story):
    story.start()
    seen = [story.ask().body.decode() for _ in range(30)]
    # One connection is one worker's, and a worker takes endpoints in turn.
    assert [seen.count(pod.name) for pod in story.v1] == [10, 10, 10], seen
    for lines in (
            ["X-Region: cn-east"],
            ["X-User-Registered-At: 2026-03-04"],
            ["X-Region: cn-east", "X-User-Registered-At: 2025-12-31T23:59:59Z"],
            ["X-Region: cn-east", "X-User-Registered-At: soon"],
            ["X-Region: cn-south", "X-User-Registered-At: 2026-03-04"],
            [*EAST, "X-Region: cn-east"]):
        answer = story.ask(*lines)
        assert version(answer) == "v1" and not answer.has("X-Told-Rule"), lines
        assert decision(answer) == "variant=v1; reason=default" and not answer.has("Set-Cookie"), lines


def users_of_the_rule_see_canary(story):
    assert story.visit(story.everybody(), times=3) == set(story.everybody())
    answer = story.ask(*EAST)
    assert answer.one("X-Told-Rule") == b"east-new-users" and answer.one("X-Told-Variant") == b"canary"
    assert decision(answer) == "variant=canary; reason=rule"
    # `to` is no draw: nothing is pinned.
    assert not any(visitor.cookies for visitor in story.everybody())


def qa_forces_a_version(story):
    assert version(story.ask("X-Canary: always")) == "canary"
    assert version(story.ask("X-Canary: never", *EAST)) == "v1"


def whatever_nginx_serves_comes_through(story):
    content = bytes(range(256)) * 4096
    for pod in story.v1:
        pod.write_file("large", content)
    client = story.bench.client()

    def get(*lines, method="GET"):
        client.send(request(f"{method} /files/large HTTP/1.1", *lines))
        return client.read_response(method)

    whole = get()
    assert whole.status == 200 and whole.body == content
    head = get(method="HEAD")
    assert head.status == 200 and int(head.one("Content-Length")) == len(content)
    part = get("Range: bytes=1000-1999")
    assert part.status == 206 and part.body == content[1000:2000]
    unchanged = get(f"If-Modified-Since: {whole.one('Last-Modified').decode()}")
    assert unchanged.status == 304 and unchanged.body == b""
    packed = get("Accept-Encoding: gzip")
    assert packed.status == 200 and packed.one("Content-Encoding") == b"gzip" and packed.chunks
    assert get(method="DELETE").status == 405
    client.send(request("POST / HTTP/1.1", body=content))
    assert client.read_response().status == 200


def weight_goes_up_and_nobody_moves_back(story):
    canary = set()
    for percent in (10, 50, 100):
        story.set_weight(percent)
        story.reload()
        before, canary = canary, story.visit(story.everybody())
        assert canary >= before, f"{len(before - canary)} moved back at {percent}%"
        # A browser that is pinned stays what it drew at a lower weight: that is below this one too.
        assert canary == story.drawn(story.everybody(), percent), percent
        for crowd in (story.browsers, story.members, story.apps):
            expect_share(crowd, canary & set(crowd), percent)
        assert version(story.ask()) == "v1", "default traffic"
    assert len(canary) == len(story.everybody())


def lower_weight_keeps_those_who_are_pinned(story):
    story.set_weight(10)
    story.reload()
    pinned = story.browsers + story.members
    assert story.visit(pinned) == set(pinned)
    assert decision(pinned[0].ask(story.client(0))) == "variant=canary; reason=pinned"
    # Who keeps no cookie is drawn by the new weight, and so are those who come now.
    assert story.visit(story.apps) == story.drawn(story.apps, 10)
    late = [Visitor(*EAST) for _ in range(BROWSERS)]
    canary = story.visit(late)
    assert canary == story.drawn(late, 10)
    expect_share(late, canary, 10)


def drain_stops_new_ones_only(story):
    story.shop["state"] = "drain"
    story.set_weight(100)
    story.reload()
    pinned = story.browsers + story.members
    assert story.visit(pinned) == set(pinned)
    late = [Visitor(*EAST) for _ in range(10)]
    late += [Visitor(*EAST, f"X-User-Id: {key}") for key in keys("shop", 0, 100, 10)]
    assert story.visit(late) == set()
    assert not any(visitor.cookies for visitor in late)


def off_and_full_are_for_everyone(story):
    story.shop["state"] = "off"
    story.write_shop()
    story.reload()
    assert story.visit(story.browsers[:20] + story.apps[:20]) == set()
    assert decision(story.ask("X-Canary: always")) == "variant=v1; reason=off"
    story.shop["state"] = "full"
    story.write_shop()
    story.reload()
    strangers = [Visitor() for _ in range(20)]
    assert story.visit(strangers) == set(strangers)
    assert not any(visitor.cookies for visitor in strangers)
    assert decision(story.ask("X-Canary: never")) == "variant=v1; reason=forced"
    story.shop["state"] = "on"
    story.set_weight(10)
    story.reload()
    pinned = story.browsers + story.members
    assert story.visit(pinned) == set(pinned), "pins were lost"
    assert story.visit([Visitor() for _ in range(20)]) == set()


def higher_epoch_voids_pins(story):
    story.shop["sticky"] = {"epoch": 2}
    story.write_shop()
    story.reload()
    ids = {visitor: visitor.sticky().id for visitor in story.browsers}
    people = story.browsers + story.members
    canary = story.visit(people)
    assert canary == story.drawn(people, 10)
    for visitor in people:
        assert (visitor.sticky().epoch == "2") == (visitor in canary)
    assert ids == {visitor: visitor.sticky().id for visitor in story.browsers}, "ids changed"


def canary_that_is_gone_falls_back(story):
    story.set_weight(100)
    story.reload()
    people = story.browsers[:40] + story.members[:40] + story.apps[:40]
    assert story.visit(people) == set(people)
    for how in (signal.SIGTERM, signal.SIGKILL):
        before = [dict(visitor.cookies) for visitor in people]
        story.canary.stop(how)
        assert story.visit(people) == set()
        answer = people[0].ask(story.client(0))
        assert decision(answer) == "variant=v1; reason=failover" and not set_cookies(answer)
        assert answer.one("X-Told-Rule") == b"east-new-users" and answer.one("X-Told-Variant") == b"v1"
        late = Visitor(*EAST)
        assert version(late.ask(story.client(1))) == "v1" and not late.cookies
        assert story.ask("X-Canary: always").status == 503
        story.gateway.wait_line(f"route 'shop', variant 'canary': endpoint {story.canary.address}: ")
        story.canary.start()
        assert story.visit(people) == set(people)
        assert before == [visitor.cookies for visitor in people], "cookies changed"


def one_of_three_may_be_gone(story):
    gone, *left = story.v1
    gone.stop()
    seen = [story.ask().body.decode() for _ in range(20)]
    assert set(seen) == {pod.name for pod in left}, seen
    gone.start()
    seen = {story.ask().body.decode() for _ in range(9)}
    assert seen == {pod.name for pod in story.v1}, seen


def broken_rule_file_changes_nothing(story):
    people = story.browsers[:20] + story.members[:20]
    story.shop["rules"] = [
        {"id": "east-new-users", "when": {"user.registered_at": {"befor": "2026-01-01"}}, "to": "v1"}]
    story.write_shop()
    place = story.bench.place_of("rules/shop.json", "befor")
    said = story.gateway.reload()
    assert said == [
        "rules/shop.json: note: route 'shop' stays as it was",
        f"{place}: error: rule 'east-new-users': unknown operator 'befor' for time attribute"
        " 'user.registered_at' (did you mean 'before'?)",
        "adit: warning: reloaded in part: 1 routes; those with errors above stay as they were",
    ], said
    assert story.visit(people) == set(people) and version(story.ask()) == "v1"


def file_whose_tests_fail_changes_nothing(story):
    people = story.browsers[:20]
    story.shop["tests"] = [{
        "name": "new user of the east",
        "request": {"url": "http://shop.example.com/", "headers": {
            "X-Region": "cn-east", "X-User-Registered-At": "2026-03-04"}},
        "expect": {"variant": "canary"}}]
    story.set_rule(to="v1")
    said = story.gateway.reload()
    assert any("rules/shop.json:" in line and "new user of the east" in line for line in said), said
    assert "reloaded in part" in said[-1], said
    assert story.visit(people) == set(people)
    story.set_rule(to="canary")
    story.reload()
    del story.shop["tests"]
    story.set_weight(100)
    story.reload()


def broken_adit_json_changes_nothing(story):
    path = os.path.join(story.directory, "adit.json")
    with open(path, encoding="ascii") as file:
        good = file.read()
    people = story.browsers[:20]
    story.set_rule(to="v1")
    for bad, place in ((good.replace('"workers"', '"wokers"'), r"adit\.json:\d+:\d+: error: .*wokers"),
                       (good[:-20], r"adit\.json:\d+:\d+: error: "), ("", r"adit\.json:1:1: error: ")):
        story.bench.write("adit.json", bad)
        since = len(story.gateway.lines)
        said = story.gateway.reload()
        assert "reload refused" in said[-1], said
        story.gateway.wait_line(place, since)
        assert story.visit(people) == set(people) and version(story.ask()) == "v1"
    story.bench.write("adit.json", good)
    story.set_weight(100)
    story.reload()


def files_come_and_go(story):
    def ask_help():
        client = story.bench.client()
        client.send(request("GET / HTTP/1.1", "Host: help.example.com"))
        return client.read_response()

    assert ask_help().status == 404
    story.bench.write("rules/help.json", HELP)
    story.reload(routes=2)
    assert version(ask_help()) == "v1"
    os.remove(os.path.join(story.directory, "rules", "help.json"))
    story.reload()
    answer = ask_help()
    assert answer.status == 404 and b"no route" in answer.body
    people = story.browsers[:20]
    assert story.visit(people) == set(people)


CHAPTERS = [
    default_traffic_sees_v1, users_of_the_rule_see_canary, qa_forces_a_version,
    whatever_nginx_serves_comes_through, weight_goes_up_and_nobody_moves_back,
    lower_weight_keeps_those_who_are_pinned, drain_stops_new_ones_only, off_and_full_are_for_everyone,
    higher_epoch_voids_pins, canary_that_is_gone_falls_back, one_of_three_may_be_gone,
    broken_rule_file_changes_nothing, file_whose_tests_fail_changes_nothing,
    broken_adit_json_changes_nothing, files_come_and_go,
]


class StoryBench(Bench):
    """A bench whose origins are nginx."""

    def __init__(self, binary):
        super().__init__(binary)
        self.pods = []

    def keep_pod(self, pod):
        self.pods.append(pod)

    def release(self):
        for pod in self.pods:
            pod.release()
        super().release()


def tell(bench):
    """The number of chapters that went as they should."""
    told = 0
    try:
        story = Story(bench)
        for chapter in CHAPTERS:
            chapter(story)
            told += 1
            print(f"  {chapter.__name__.replace('_', ' ')}", flush=True)
        bench.stop()  # drains: status 0, and no sanitizer has said anything
        told += 1
    except Exception:
        print(f"FAILED\n{traceback.format_exc()}{bench.context()}", flush=True)
    finally:
        bench.release()
    return told


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    told = tell(StoryBench(os.path.abspath(arguments[0])))
    failed = len(CHAPTERS) + 1 - told
    print(f"{told} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
