"""Health checks: who is unhealthy gets no requests, and a canary's users get stable without noticing."""
from harness import request, response

TO_CANARY = {"expose_decision": True, "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
BETA = request("GET / HTTP/1.1", "X-Beta: 1")
CHECK = {"path": "/healthz", "interval": "100ms", "timeout": "100ms", "healthy": 2, "unhealthy": 2}


def checked(*names, **more):
    return {"upstreams": {name: {"health_check": {**CHECK, **more}} for name in names}}


class Patient:
    """An endpoint that answers checks as it is, and everything else with its name."""

    def __init__(self, origin):
        self.origin, self.well = origin, True
        origin.serve(self.react)

    def react(self, got):
        if got.target == b"/healthz":
            return response("200 OK" if self.well else "503 Service Unavailable")
        return response(body=self.origin.name.encode())

    def asked(self, checks=True):
        return sum((got.target == b"/healthz") == checks for got in list(self.origin.requests))


def ask(client, sent=None):
    """What answers, and why."""
    client.send(sent or BETA)
    answer = client.read_response()
    assert answer.status == 200, answer.head
    return answer.body, answer.one("X-Adit-Decision")


def test_sick_canary_hurts_nobody(bench):
    canary, stable = Patient(bench.canary), Patient(bench.v1)
    bench.start(config=checked("shop-canary"), rules=TO_CANARY)
    client, since = bench.client(), 0
    to_canary = (b"canary", b"variant=canary; reason=rule")
    for _ in range(2):
        assert ask(client) == to_canary
        canary.well = False
        bench.gateway.wait_line(
            rf"adit: warning: upstream 'shop-canary': endpoint {bench.canary.address} is unhealthy: its answer has status 503$", since)
        asked = canary.asked(checks=False)
        for _ in range(3):
            assert ask(client) == (b"v1", b"variant=v1; reason=failover")
        assert canary.asked(checks=False) == asked
        canary.well = True
        bench.gateway.wait_line(rf"adit: upstream 'shop-canary': endpoint {bench.canary.address} is healthy again$", since)
        since = len(bench.gateway.lines)
    assert ask(client) == to_canary
    assert stable.asked() == 0
    counters = bench.counters()
    assert counters["health_recovered"] == 2 and counters["health_unhealthy"] in (2, 3)  # 3: as the test ends
    assert 4 <= counters["health_failures"] < counters["health_checks"]
    assert counters["failovers"] == 6 and "health_shortages" not in counters


def test_dead_canary_is_not_connected_to(bench):
    Patient(bench.v1)
    bench.canary.close()
    bench.start(config=checked("shop-canary"), rules=TO_CANARY)
    bench.gateway.wait_line(r"is unhealthy: Connection refused$")
    assert ask(bench.client()) == (b"v1", b"variant=v1; reason=failover")
    counters = bench.counters()
    assert counters["connects"] == 1 and "connect_failures" not in counters


def test_forced_request_is_tried_all_the_same(bench):
    canary = Patient(bench.canary)
    canary.well = False
    bench.start(config=checked("shop-canary"), rules={"expose_decision": True})
    bench.gateway.wait_line(r"is unhealthy")
    assert ask(bench.client(), request("GET / HTTP/1.1", "X-Canary: always"))[0] == b"canary"


def test_stable_has_nothing_to_fall_back_to(bench):
    """The unhealthy one comes last; when all are unhealthy they serve all the same."""
    patients = [Patient(bench.origin(f"v1-{name}")) for name in "ab"]
    patients[0].well = False
    bench.start(config=checked("shop-v1"), v1=[each.origin for each in patients])
    bench.gateway.wait_line(rf"{patients[0].origin.address} is unhealthy")
    client = bench.client()
    client.send(request() * 4)
    assert [client.read_response().body for _ in range(4)] == [b"v1-b"] * 4
    patients[1].well = False
    bench.gateway.wait_line(rf"{patients[1].origin.address} is unhealthy")
    client.send(request() * 4)
    got = sorted(client.read_response().body for _ in range(4))
    assert got == [b"v1-a"] * 2 + [b"v1-b"] * 2, got


def test_reload_keeps_what_is_known(bench):
    """Also when it changes how is asked: nobody is sent to a canary that has to be found out anew."""
    canary = Patient(bench.canary)
    Patient(bench.v1)
    canary.well = False
    bench.start(config=checked("shop-canary"), rules=TO_CANARY)
    bench.gateway.wait_line(r"is unhealthy")
    for more in ({}, {"interval": "1h", "body": "well"}):
        bench.write_files(config=checked("shop-canary", **more), rules=TO_CANARY)
        bench.gateway.reload()
        assert ask(bench.client()) == (b"v1", b"variant=v1; reason=failover")
    bench.write_files(rules=TO_CANARY)
    bench.gateway.reload()
    assert ask(bench.client())[0] == b"canary"


def test_unix_socket(bench):
    """Within the sandbox, too."""
    stable = Patient(bench.origin("v1-unix", path="v1.sock"))
    bench.start(config=checked("shop-v1", unhealthy=1), rules=TO_CANARY, v1=[stable.origin])
    stable.well = False
    bench.gateway.wait_line(r"endpoint unix:.*v1.sock is unhealthy: its answer has status 503$")
    stable.well = True
    bench.gateway.wait_line(r"endpoint unix:.*v1.sock is healthy again$")
    assert ask(bench.client(), request())[0] == b"v1-unix"
    assert "health_shortages" not in bench.counters()


def test_check_that_hangs_holds_up_no_end(bench):
    bench.start(config=checked("shop-canary", interval="1m", timeout="1m"))
    peer = bench.canary.accept()
    assert peer.read_request().target == b"/healthz"
    bench.stop()
