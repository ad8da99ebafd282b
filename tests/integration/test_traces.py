"""traceparent: passed on as it came, and started where there is none that is good."""
import json
import re

from harness import message, request, response
from sockets import wait_for
from test_access_log import LOG, entries

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"
STARTED = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-0([01])")


def forwarded(bench, *lines):
    peer, got, _ = bench.exchange(bench.client(), bench.v1, request("GET / HTTP/1.1", *lines))
    peer.close()
    return got


def new_id(got):
    started = STARTED.fullmatch(got.one("traceparent"))
    assert started and got.all("tracestate") == [], got.head
    return started[1].decode()


def test_a_good_one_goes_on_as_it_came(bench):
    """Also past a Connection that names it, and from anybody."""
    bench.start(config=LOG)
    for lines in [["TraceParent: " + GOOD, "tracestate: a=1", "tracestate: b=2, c=3"],
                  ["TraceParent: " + GOOD, "Connection: traceparent, tracestate", "tracestate: a=1",
                   "tracestate: b=2, c=3"]]:
        got = forwarded(bench, *lines)
        assert got.one("traceparent") == GOOD.encode() and b"\r\nTraceParent: 00" in got.head
        assert got.all("tracestate") == [b"a=1", b"b=2, c=3"]
    later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-07-more"
    assert forwarded(bench, "traceparent: " + later).one("traceparent") == later.encode()
    assert [entry["trace_id"] for entry in entries(bench)] == [GOOD[3:35]] * 3


def test_one_is_started(bench):
    """Where there is none, a bad one, or several; each request gets its own."""
    bench.start(config=LOG)
    cases = [[], ["traceparent: " + GOOD.upper()], ["traceparent:"], ["tracestate: a=1"],
             ["traceparent: " + GOOD, "traceparent: " + OTHER], ["traceparent: " + GOOD, "traceparent: " + GOOD],
             ["traceparent: " + GOOD + "-more", "tracestate: a=1"], ["traceparent: ff" + GOOD[2:]]]
    ids = [new_id(forwarded(bench, *case)) for case in cases]
    assert len(set(ids)) == len(cases)
    assert [entry["trace_id"] for entry in entries(bench)] == ids


def test_how_it_is_started(bench):
    bench.start(config={"traceparent": "start_sampled"})
    assert forwarded(bench).one("traceparent").endswith(b"-01")
    assert forwarded(bench, "traceparent: " + OTHER).one("traceparent") == OTHER.encode()
    bench.write_files(config={"traceparent": "pass"})
    bench.gateway.reload()
    got = forwarded(bench, "traceparent: odd", "traceparent: " + GOOD, "tracestate: a=1")
    assert got.all("traceparent") == [b"odd", GOOD.encode()] and got.one("tracestate") == b"a=1"
    assert forwarded(bench).all("traceparent") == []


def test_sent_again_and_copied(bench):
    """One trace for all attempts, and for the copy."""
    bench.start(rules={"mirror": {"to": "canary"}})
    client = bench.client()
    peer, _, _ = bench.exchange(client, bench.v1)
    bench.canary.accept().read_request()
    client.send(request())
    first = peer.read_request()
    peer.close()
    again = bench.v1.accept()
    second = again.read_request()
    again.send(response())
    client.read_response()
    copy = bench.canary.accept().read_request()
    assert new_id(first) and first.one("traceparent") == second.one("traceparent") == copy.one("traceparent")


def test_not_from_a_trailer(bench):
    bench.start()
    sent = message("POST / HTTP/1.1", "Host: shop.example.com", "Transfer-Encoding: chunked") + \
        f"1\r\nx\r\n0\r\ntraceparent: {GOOD}\r\ntracestate: a=1\r\nX-Sum: 1\r\n\r\n".encode()
    _, got, _ = bench.exchange(bench.client(), bench.v1, sent)
    new_id(got)
    assert [name.lower() for name, _ in got.trailers] == [b"x-sum"], got.trailers


def test_answers_of_our_own(bench):
    """What was not sent to an endpoint has the trace that came, or none."""
    bench.start(config=LOG, rules={"match": {"hosts": ["shop.example.com"]}})
    client = bench.client()
    for lines in [[], ["traceparent: " + GOOD]]:
        client.send(request("GET / HTTP/1.1", "Host: unknown.example", *lines))
        assert client.read_response().status == 404
    assert [entry["trace_id"] for entry in entries(bench)] == [None, GOOD[3:35]]
