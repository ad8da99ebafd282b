"""What /metrics counts by label: what cannot be read, cookies, upstreams, endpoints; and how long things take."""
import pathlib
import re

from admin import ADMIN, ask, check_format, scrape
from harness import chunked, message, request, response
from sockets import SYN_SENT, tcp_sockets, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TO_CANARY = {"rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
BETA = request("GET / HTTP/1.1", "X-Beta: 1")


def labelled(got, name):
    """{value of the last label: number} of a metric's samples."""
    return {re.findall(r'="((?:[^"\\]|\\.)*)"', sample)[-1]: value for sample, value in got.items() if sample.startswith(name + "{")}


def of_upstream(got, upstream, *names):
    return [got[f'adit_upstream_{name}_total{{upstream="{upstream}"}}'] for name in names]


def endpoint(got, name, upstream, address):
    return got.get(f'adit_upstream_endpoint_{name}{{upstream="{upstream}",endpoint="{address}"}}')


def status_of(bench, raw):
    client = bench.client()
    client.send(raw)
    status = client.read_response().status
    client.sock.close()
    return status


# ---- requests that cannot be read


def test_parse_errors(bench):
    bench.start(config={**ADMIN, "limits": {"header_bytes": "4KiB", "request_line_bytes": "1KiB"}})
    zero = labelled(scrape(bench), "adit_parse_errors_total")
    assert set(zero.values()) == {0}
    host = "Host: shop.example.com"
    expected = dict.fromkeys(zero, 0)
    for kind, status, raw in (
            ("start", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
            ("octets", 400, message("GET / HTTP/1.1", host, "A: b\x01")),
            ("octets", 400, b"GET / HTTP/1.1\nHost: a\n\n"),
            ("line", 400, message("GET nonsense HTTP/1.1", host)),
            ("line", 400, message("GET / HTTQ/1.1", host)),
            ("field", 400, message("GET / HTTP/1.1", host, "A : b")),
            ("field", 400, message("GET / HTTP/1.1", host, "Connection: " + ",".join("abc" for _ in range(300)))),
            ("host", 400, message("GET / HTTP/1.1", host, host)),
            ("host", 400, message("GET / HTTP/1.1", "A: b")),
            ("host", 400, message("GET / HTTP/1.1", "Host: a/b")),
            ("framing", 400, message("POST / HTTP/1.1", host, "Content-Length: 1", "Transfer-Encoding: chunked")),
            ("framing", 400, message("POST / HTTP/1.1", host, "Content-Length: 1", "Content-Length: 1")),
            ("framing", 400, message("POST / HTTP/1.1", host, "Content-Length: x")),
            ("line_long", 414, message("GET /" + "x" * 2000 + " HTTP/1.1", host)),
            ("head_long", 431, message("GET / HTTP/1.1", host, "A: " + "x" * 5000)),
            ("version", 505, message("GET / HTTP/2.0", host)),
            ("coding", 501, message("POST / HTTP/1.1", host, "Transfer-Encoding: gzip, chunked")),
            ("expectation", 417, message("GET / HTTP/1.1", host, "Expect: more")),
            ("path", 400, message("GET /%zz HTTP/1.1", host))):
        assert status_of(bench, raw) == status, raw
        expected[kind] += 1
    client = bench.client()
    client.send(b"GET / HT")
    client.half_close()
    assert client.read_response().status == 400
    client = bench.client()
    client.send(message("POST / HTTP/1.1", host, "Transfer-Encoding: chunked", body=b"zz\r\n"))
    bench.v1.accept()
    assert client.read_response().status == 400
    expected["cut_off"] = expected["body"] = 1
    assert all(expected.values()), expected
    got = scrape(bench)
    assert labelled(got, "adit_parse_errors_total") == expected
    limits = labelled(got, "adit_limit_hits_total")
    assert {name for name, n in limits.items() if n} == {"heads_long", "lines_long"} and "heads_slow" in limits
    check_format(ask(bench, "GET /metrics").body)


# ---- routes


def test_cookies_and_decisions(bench):
    """By what is found of a cookie; and of some requests, the first among them, what the decision took."""
    bench.v1.serve(lambda got: response())
    bench.canary.serve(lambda got: response())
    bench.start(config=ADMIN, rules={"default": {"split": {"canary": 100}}})
    zero = labelled(scrape(bench), "adit_route_cookies_total")
    assert zero == dict.fromkeys(("absent", "valid", "void_pin", "expired", "forged", "malformed"), 0)
    assert scrape(bench)['adit_route_decision_seconds_count{route="shop"}'] == 0
    client = bench.client()
    client.send(request())
    answer = client.read_response()
    cookie = answer.one("Set-Cookie").decode().partition(";")[0]
    start, mark, tag = cookie.rpartition("~")
    forged = start + mark + ("B" if tag[0] == "A" else "A") + tag[1:]
    for sent in (cookie, cookie, forged, "adit_shop=nonsense"):
        client.send(request("GET / HTTP/1.1", f"Cookie: {sent}"))
        assert client.read_response().status == 200
    got = scrape(bench)
    assert labelled(got, "adit_route_cookies_total") == {**zero, "absent": 1, "valid": 2, "forged": 1, "malformed": 1}
    timed = got['adit_route_decision_seconds_count{route="shop"}']
    assert 1 <= timed <= 5
    assert 0 < got['adit_route_decision_seconds_sum{route="shop"}'] < 60
    assert got['adit_route_decision_seconds_bucket{route="shop",le="+Inf"}'] == timed
    # Far more requests than are timed: one in 64, and never none of a thousand.
    for _ in range(1000):
        client.send(request())
    for _ in range(1000):
        client.read_response()
    timed = scrape(bench)['adit_route_decision_seconds_count{route="shop"}']
    assert 1000 // 127 <= timed < 100, timed
    # A raised epoch voids what there was.
    bench.write_files(config=ADMIN, rules={"default": {"split": {"canary": 100}}, "sticky": {"epoch": 2}})
    bench.gateway.reload()
    client.send(request("GET / HTTP/1.1", f"Cookie: {cookie}"))
    client.read_response()
    assert labelled(scrape(bench), "adit_route_cookies_total")["void_pin"] == 1


# ---- workers


def test_loop_lag(bench):
    """Each worker's turns are timed, and a request takes one at least."""
    bench.v1.serve(lambda got: response())
    bench.start(config={**ADMIN, "workers": 2})
    before = scrape(bench)
    for _ in range(8):
        assert status_of(bench, request()) == 200
    after = scrape(bench)
    counts = [[got[f'adit_worker_loop_lag_seconds_count{{worker="{worker}"}}'] for worker in (0, 1)] for got in (before, after)]
    assert sum(counts[1]) >= sum(counts[0]) + 8 and counts[1][0] >= counts[0][0] and counts[1][1] >= counts[0][1]
    buckets = [value for sample, value in after.items() if sample.startswith('adit_worker_loop_lag_seconds_bucket{worker="0"')]
    assert len(buckets) == 15 and buckets == sorted(buckets)
    assert 'adit_worker_loop_lag_seconds_count{worker="2"}' not in after


# ---- upstreams and endpoints


def test_upstreams(bench):
    """What was counted of an upstream stays when a reload takes it away, and goes on when it comes back."""
    bench.v1.serve(lambda got: response())
    bench.canary.close()
    bench.start(config=ADMIN, rules=TO_CANARY)
    names = ("connects", "connect_failures", "reuses", "failovers", "ejections", "retries")
    zero = scrape(bench)
    assert of_upstream(zero, "shop-v1", *names) == of_upstream(zero, "shop-canary", *names) == [0] * 6

    def play(client):
        for raw in (request(), BETA):
            client.send(raw)
            assert client.read_response().status == 200
    play(bench.client())
    got = scrape(bench)
    assert of_upstream(got, "shop-v1", *names) == [1, 0, 1, 0, 0, 0]
    assert of_upstream(got, "shop-canary", *names) == [0, 1, 0, 1, 0, 0]
    whole = bench.config([bench.v1], [bench.canary])["upstreams"]
    alone = {"variants": {"canary": None}, "rules": None}
    bench.write_files(config={**ADMIN, "upstreams": {"shop-canary": None}}, rules={**TO_CANARY, **alone})
    bench.gateway.reload()
    gone = scrape(bench)
    assert of_upstream(gone, "shop-canary", *names) == of_upstream(got, "shop-canary", *names)
    assert endpoint(got, "healthy", "shop-canary", bench.canary.address) == 1
    assert endpoint(gone, "healthy", "shop-canary", bench.canary.address) is None
    assert 'adit_upstream_usable_endpoints{upstream="shop-canary"}' not in gone
    bench.write_files(config={**ADMIN, "upstreams": whole}, rules=TO_CANARY)
    bench.gateway.reload()
    play(bench.client())
    again = scrape(bench)
    assert of_upstream(again, "shop-canary", "connect_failures", "failovers") == [2, 2]
    for name in names:
        total = sum(of_upstream(again, upstream, name)[0] for upstream in ("shop-v1", "shop-canary"))
        assert total == again[f"adit_{name}_total"], name


def test_connects_that_come_to_nothing(bench):
    """Refused, or without an answer, or given up: what has failed was not opened."""
    hangs = bench.full()
    bench.start(config={**ADMIN, "upstreams": {"shop-v1": {"connect_timeout": "100ms"}, "shop-canary": {"connect_timeout": "60s"}}},
                v1=[bench.full(), bench.refusing()], canary=[hangs], rules=TO_CANARY)
    assert status_of(bench, request()) in (502, 504)
    client = bench.client()
    client.send(BETA)
    wait_for(lambda: any(remote == hangs.port and state == SYN_SENT for _, remote, state in tcp_sockets()), "there is no connect")
    client.reset()
    got = scrape(bench, lambda got: got["adit_client_gone_total"] == 1)
    assert of_upstream(got, "shop-v1", "connects", "connect_failures") == [0, 2]
    assert of_upstream(got, "shop-canary", "connects", "connect_failures") == [0, 0]
    assert got["adit_connects_total"] == 0 and got["adit_connect_failures_total"] == 2


def test_endpoints_that_fail(bench):
    """Unhealthy, or left out by a worker: what an upstream has that can be used."""
    well = {"v1": True, "canary": True}
    for origin in bench.origins:
        origin.serve(lambda got, name=origin.name: response("200 OK" if well[name] else "503 Service Unavailable"))
    check = {"path": "/healthz", "interval": "100ms", "timeout": "100ms", "healthy": 1, "unhealthy": 1}
    bench.start(config={**ADMIN, "upstreams": {"shop-canary": {"health_check": check},
                                               "shop-v1": {"outlier_detection": {"consecutive_failures": 1}}}})

    def usable(got, upstream="shop-canary"):
        return got[f'adit_upstream_usable_endpoints{{upstream="{upstream}"}}']
    got = scrape(bench, lambda got: usable(got) == 1)
    assert endpoint(got, "healthy", "shop-canary", bench.canary.address) == 1
    well["canary"] = False
    got = scrape(bench, lambda got: usable(got) == 0)
    assert endpoint(got, "healthy", "shop-canary", bench.canary.address) == 0
    assert endpoint(got, "ejected_ratio", "shop-canary", bench.canary.address) == 0
    well["canary"] = True
    scrape(bench, lambda got: usable(got) == 1)
    well["v1"] = False
    assert status_of(bench, request()) == 503
    got = scrape(bench)
    assert endpoint(got, "ejected_ratio", "shop-v1", bench.v1.address) == 1
    assert endpoint(got, "healthy", "shop-v1", bench.v1.address) == 1 and usable(got, "shop-v1") == 0
    assert of_upstream(got, "shop-v1", "ejections") == [1]
    assert endpoint(got, "active_requests", "shop-v1", bench.v1.address) == 0
    assert endpoint(got, "idle_connections", "shop-v1", bench.v1.address) == 1
    check_format(ask(bench, "GET /metrics").body)


def test_labels_are_quoted(bench):
    """A path of a Unix socket may have what ends a label's value."""
    odd = bench.origin("odd", path='a"b\\c')
    odd.serve(lambda got: response())
    bench.start(config=ADMIN, v1=[odd])
    assert status_of(bench, request()) == 200
    raw = ask(bench, "GET /metrics").body
    assert rb'/a\"b\\c"} ' in raw, raw
    check_format(raw)


# ---- the documents


def documented():
    """Of docs/operations.md: every name in the table of metrics, and what the counters are called."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    counters = re.findall(r"^\| `([a-z_]+)` \|", text.partition("prints its counters")[2].partition("\n## ")[0], re.M)
    rows = [line.split("|")[1] for line in text.partition("\n## Metrics\n")[2].partition("\n## ")[0].splitlines() if line.startswith("| `adit_")]
    named = [name for row in rows for name in re.findall(r"`(adit_[a-z_]+)", row)]
    return {f"adit_{name.removesuffix('_us')}_{'seconds_' if name.endswith('_us') else ''}total" for name in counters} | set(named)


def test_every_metric_is_documented(bench):
    bench.start(config={**ADMIN, "state_file": "states/adit.json"})
    said = re.findall(rb"^# TYPE (\S+) ", ask(bench, "GET /metrics").body, re.M)
    names = {name.decode() for name in said}
    assert len(names) == len(said)
    assert documented() == names, documented() ^ names
