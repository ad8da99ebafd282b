"""What the client gets of a response's head, and the heads of our own answers."""
import email.utils
import re
import time

from harness import message, request, response

DATE = re.compile(rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
                  rb" \d{4} \d\d:\d\d:\d\d GMT")
DATED = "Date: Sun, 22 Nov 2026 10:00:00 GMT"


def received(bench, answer, sent=None, answers="GET"):
    peer, _, got = bench.exchange(bench.client(), bench.v1, sent, answer, answers)
    peer.close()
    return got


def test_fields_stay_as_they_are(bench):
    lines = [
        "HTTP/1.1 200 Very  Well \xe9", "Set-Cookie: a=1; Path=/", "sErVeR: Origin/1.0", DATED,
        "Set-Cookie: b=2", "X-Empty: ", b"X-Obs: \xff\xe9", "Content-Length: 2", "VARY: Accept",
        "X-Adit: theirs", "Set-Cookie: a=1; Path=/", "Via: 1.1 before", "Cache-Control: max-age=5",
    ]
    assert received(bench.start(), message(*lines, body="ok")).head == message(*lines)


def test_what_the_origin_says_stays(bench):
    """Challenges, validators, ranges, methods, links: not a gateway's to change."""
    lines = [
        "HTTP/1.1 405 Method Not Allowed", DATED, "Allow: GET ,, HEAD",
        "WWW-Authenticate: Basic realm=\"a\", New type=1", "WWW-Authenticate: Newauth", "Authentication-Info: a=1",
        "Proxy-Authenticate: Basic realm=\"b\"", "Proxy-Authentication-Info: b=1", "Location: /a#b",
        "Retry-After: 120", "Server: Origin/1.0 (test)",
        'ETag: W/"x"', "Last-Modified: tomorrow", "Content-Location: /c", "Content-Range: lines 1-2/*",
        "Accept-Ranges: lines", "Vary: *", "Age: 5", "Expires: 0", "Content-Encoding: br", "Content-Language: da",
        "Content-Type: text/x", "Via: 1.1 inside.example.com:81 (a)", "Link: </a>", "Content-Length: 2",
    ]
    assert received(bench.start(), message(*lines, body="ok")).head == message(*lines)


def test_date_is_the_time_of_receipt(bench):
    before = int(time.time())
    got = email.utils.parsedate_to_datetime(received(bench.start(), response()).one("Date").decode())
    assert before <= got.timestamp() <= time.time()


def test_status_lines(bench):
    bench.start()
    for sent, expected in (
            ("200", b"HTTP/1.1 200 "), ("200 ", b"HTTP/1.1 200 "), ("599 Odd", b"HTTP/1.1 599 Odd"),
            ("418 I'm a teapot", b"HTTP/1.1 418 I'm a teapot"), ("299 New", b"HTTP/1.1 299 New"),
            ("399", b"HTTP/1.1 399 "), ("471 Odd", b"HTTP/1.1 471 Odd"),
            ("404 Not\tFound", b"HTTP/1.1 404 Not\tFound")):
        assert received(bench, response(sent)).first == expected


def test_a_date_is_added_where_there_is_none(bench):
    bench.start()
    assert DATE.fullmatch(received(bench, response()).one("Date"))
    assert received(bench, response("200 OK", DATED)).head.count(b"Date: ") == 1


def test_hop_by_hop_fields_go(bench):
    bench.start()
    got = received(bench, message(
        "HTTP/1.1 200 OK", DATED, "Connection: x-hop, Keep-Alive, close", "X-Hop: 1", "X-Kept: 1",
        "Keep-Alive: timeout=5", "Proxy-Connection: close", "Upgrade: h2c", "x-hop: 2",
        "Content-Length: 2", "X-Hope: 1", body="ok"))
    assert got.head == message(
        "HTTP/1.1 200 OK", DATED, "X-Kept: 1", "Content-Length: 2", "X-Hope: 1")


def test_nominations_cannot_remove_the_length(bench):
    got = received(bench.start(), response("200 OK", "Connection: Content-Length"))
    assert got.one("Content-Length") == b"2"


def test_version_is_ours(bench):
    bench.start()
    for version in ("HTTP/1.0", "HTTP/1.1", "HTTP/1.9"):
        got = received(bench, message(f"{version} 200 OK", "Content-Length: 0"))
        assert got.first == b"HTTP/1.1 200 OK"


# ---- what a decision adds


def test_decision_is_shown_when_forced(bench):
    bench.start()
    assert not received(bench, response()).has("X-Adit-Decision")
    got = received(bench, response(), request("GET / HTTP/1.1", "X-Canary: never"))
    assert got.one("X-Adit-Decision") == b"variant=v1; reason=forced"
    got = bench.exchange(bench.client(), bench.canary, request("GET / HTTP/1.1", "X-Canary: always"))[2]
    assert got.one("X-Adit-Decision") == b"variant=canary; reason=forced"


def test_decision_is_shown_when_the_rule_file_says_so(bench):
    bench.start(rules={"expose_decision": True, "rules": [
        {"id": "b", "when": {"query.b": "1"}, "to": "canary"}]})
    assert received(bench, response()).one("X-Adit-Decision") == b"variant=v1; reason=default"
    got = bench.exchange(bench.client(), bench.canary, request("GET /?b=1 HTTP/1.1"))[2]
    assert got.one("X-Adit-Decision") == b"variant=canary; reason=rule"


def test_forced_responses_are_private_where_they_could_be_stored(bench):
    bench.start()
    forced = request("GET / HTTP/1.1", "X-Canary: never")
    cases = [
        (response(), [b"private"]),
        (response("200 OK", "Cache-Control: max-age=60"), [b"max-age=60", b"private"]),
        (response("200 OK", "Cache-Control: no-store"), [b"no-store"]),
        (response("200 OK", "Cache-Control: private, max-age=1"), [b"private, max-age=1"]),
        (response("500 Oops"), []),
        (response("404 Not Found"), [b"private"]),
    ]
    for answer, expected in cases:
        assert received(bench, answer, forced).all("Cache-Control") == expected, answer
    posted = request("POST / HTTP/1.1", "X-Canary: never", body=b"")
    assert received(bench, response(), posted).all("Cache-Control") == []


# ---- our own answers


def test_no_route(bench):
    client = bench.start(rules={"match": {"hosts": ["shop.example.com"], "path_prefix": "/a"}}).client()
    for sent in (request("GET / HTTP/1.1"), request("GET /a HTTP/1.1", "Host: other.example.com")):
        client.send(sent)
        answer = client.read_response()
        assert answer.first == b"HTTP/1.1 404 Not Found"
        assert answer.names() == [b"Date", b"Content-Type", b"Content-Length", b"Cache-Control"]
        assert DATE.fullmatch(answer.one("Date")) and answer.one("Cache-Control") == b"no-store"
        assert answer.one("Content-Type").startswith(b"text/plain")
        assert b"route" in answer.body
    bench.v1.expect_untouched()
    bench.exchange(client, bench.v1, request("GET /a/b HTTP/1.1"))


def test_answer_to_head_has_no_body(bench):
    client = bench.start(rules={"match": {"hosts": ["shop.example.com"]}}).client()
    client.send(request("HEAD / HTTP/1.1", "Host: other.example.com"))
    answer = client.read_response("HEAD")
    assert answer.status == 404 and int(answer.one("Content-Length")) > 0
    bench.exchange(client, bench.v1)


def test_answer_before_a_body_ends_the_connection(bench):
    bench.start(rules={"match": {"hosts": ["shop.example.com"]}})
    other = ("PUT / HTTP/1.1", "Host: other.example.com")
    assert bench.refused(request(*other, body=request("GET /smuggled HTTP/1.1"))).status == 404
    assert bench.refused(request(*other, "Transfer-Encoding: chunked")).status == 404
    bench.v1.expect_untouched()


def test_answers_to_http_10(bench):
    client = bench.start(rules={"match": {"hosts": ["shop.example.com"]}}).client()
    client.send(request("GET / HTTP/1.0", "Host: other", "Connection: keep-alive"))
    answer = client.read_response()
    assert answer.status == 404 and answer.one("Connection") == b"keep-alive"
    client.send(request("GET / HTTP/1.0", "Host: other"))
    assert client.read_response().one("Connection") == b"close"
    client.expect_end()
