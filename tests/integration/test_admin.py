"""The admin server: who may ask, what a client may hold, health and readiness, metrics."""
import contextlib
import re
import signal
import subprocess
import time

from admin import ADMIN, admin_client, admin_port, ask, check_format, error_of, scrape, send
from harness import DEADLINE, chunked, message, request, response

# ADMIN_CONNECTIONS_MAX, ADMIN_CONNECTIONS_PER_ADDRESS_MAX, ADMIN_BODY_BYTES_MAX, ADMIN_HEAD_BYTES_MAX and
# ADMIN_REQUEST_MS of include/adit/admin.h.
CONNECTIONS, OF_AN_ADDRESS, BODY_BYTES, HEAD_BYTES, SECONDS = 128, 32, 256 << 10, 16 << 10, 5


# ---- what there is


def test_what_there_is(bench):
    bench.start(config=ADMIN)
    answer = ask(bench, "GET /healthz")
    assert (answer.status, answer.body, answer.one("Server")) == (200, b"alive\n", b"adit-admin")
    answer = ask(bench, "GET /readyz")
    assert (answer.status, answer.body) == (200, b"ready\n")
    assert ask(bench, "HEAD /readyz").status == 200
    for line in ("GET /", "GET /nothing", "GET /healthz/", "POST /metric", "GET //healthz"):
        answer = ask(bench, line)
        assert answer.status == 404, line
        assert "nothing" in error_of(answer)
    for line in ("POST /healthz", "DELETE /metrics", "OPTIONS /readyz"):
        answer = ask(bench, line)
        assert (answer.status, answer.one("Allow")) == (405, b"GET, HEAD"), line
        error_of(answer)


def test_not_there_unless_asked_for(bench):
    bench.start()
    assert not [line for line in bench.gateway.lines if "admin" in line]


def test_port_in_use_ends_the_start(bench):
    bench.write_files(config={"admin": {"address": bench.v1.address}})
    ran = subprocess.run([bench.binary, "run", "-c", "adit.json"], cwd=bench.directory.name,
                         capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert f"cannot listen on {bench.v1.address}: Address already in use" in ran.stderr, ran.stderr


# ---- who may ask


def test_host_and_origin(bench):
    bench.start(config=ADMIN)
    port = admin_port(bench)
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", f"127.0.0.1:{port}", "127.9.9.9", "[::1]", f"[::1]:{port}"):
        assert ask(bench, "GET /readyz", host=host).status == 200, host
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "localhost.", "2130706433"):
        answer = ask(bench, "GET /readyz", host=host)
        assert answer.status == 403 and "Host" in error_of(answer), host
    for host in ("", "localhost@evil.example"):
        answer = ask(bench, "GET /readyz", host=host)
        assert answer.status == 400 and "Host" in error_of(answer), host
    assert ask(bench, "GET /readyz", f"Origin: http://127.0.0.1:{port}", host=f"127.0.0.1:{port}").status == 200
    for origin in ("http://evil.example", "null", "http://localhost:3000", "https://localhost", "http://localhost.evil.example", ""):
        answer = ask(bench, "GET /readyz", f"Origin: {origin}")
        assert answer.status == 403 and "origin" in error_of(answer), origin
    assert ask(bench, "POST /nothing", "Origin: http://evil.example", body=b"{}").status == 403


def test_ambiguous_heads(bench):
    """What libmicrohttpd would read in its own way is answered, and nothing behind it is read."""
    bench.start(config=ADMIN)
    hidden = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for fields in (["Host: localhost"], ["Content-Length: 0", f"Content-Length: {len(hidden)}"],
                   ["Content-Length: 5", "Transfer-Encoding: chunked"],
                   ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
                   ["Authorization: a", "Authorization: b"], ["Origin: null", "Origin: null"]):
        body = chunked(hidden) if "Transfer-Encoding: chunked" in fields else hidden
        answer = send(bench, message("POST /readyz HTTP/1.1", "Host: localhost", *fields, body=body))
        assert answer.status == 400, fields
    # A pipeline's second request is not answered: expect_end() in send().
    assert send(bench, hidden * 2).body == b"alive\n"


def test_heads_that_are_wrong(bench):
    """Each has one answer, which says what is wrong, whichever way its bytes come; what is behind it is not read."""
    bench.start(config=ADMIN)
    host = b"Host: localhost\r\n"
    get, post = b"GET /healthz HTTP/1.1\r\n", b"POST /api/v1/explain HTTP/1.1\r\n" + host
    hidden = get + host + b"\r\n"
    for head, status, why in (
            (get, 400, "no Host"), (get + host + host, 400, "repeated Host"), (get + b"Host : localhost\r\n", 400, "whitespace"),
            (post + b"Content-Length: -1\r\n", 400, "Content-Length"), (post + b"Content-Length: 5x\r\n", 400, "Content-Length"),
            (post + b"Content-Length: 18446744073709551616\r\n", 400, "Content-Length"), (post + b"Content-Length:\r\n", 400, "Content-Length"),
            (post + b"Transfer-Encoding: gzip, chunked\r\n", 501, "coding"), (post + b"Transfer-Encoding: chunked, gzip\r\n", 400, "coding"),
            (get + host + b"nonsense\r\n", 400, "field name"), (get + host + b"X: a\r\n b\r\n", 400, "folded"),
            (get + b"Host: localhost\n", 400, "line feed"), (b"nonsense\r\n", 400, "method"), (b"\x16\x03\x01\x02", 400, ""),
            (get.replace(b"1.1", b"2.0") + host, 505, "version"), (post + b"Expect: 200-ok\r\n", 417, "xpect"),
            (get + host + b"X: " + b"x" * HEAD_BYTES + b"\r\n", 431, "head too long"), (b"GET /" + b"x" * HEAD_BYTES, 414, "too long"),
            (b"GET /healthz?" + b"a&" * 2000 + b" HTTP/1.1\r\n" + host, 400, "64 parameters"),
            (get + host + b"Cookie: a=b\r\n" + b"Cookie: " + b"a;" * 7000 + b"\r\n", 400, "256 cookies")):
        raw = head + b"\r\n" + hidden
        for pieces in ([raw], [raw[:20], raw[20:]]):
            client = admin_client(bench)
            for piece in pieces:
                client.send(piece)
            answer = client.read_response()
            client.expect_end()
            client.sock.close()
            assert answer.status == status and why in error_of(answer), (head[:80], answer.status, answer.body)
            assert (answer.one("Server"), answer.one("Connection")) == (b"adit-admin", b"close") and answer.has("Date")
    # Who does not go on, or ends halfway, is forgotten; a head that ends with its connection's sending side is answered.
    client = admin_client(bench)
    client.send(get)
    client.half_close()
    client.expect_end()
    client = admin_client(bench)
    client.send(hidden)
    client.half_close()
    assert client.read_response().status == 200
    head = b"GET /healthz?" + b"a&" * 63 + b" HTTP/1.1\r\n" + host + b"Cookie: " + b"a;" * 255 + b"\r\n" + b"Y: y\r\n" * 97
    head += b"X: " + b"x" * (HEAD_BYTES - len(head) - len("X: \r\n\r\n")) + b"\r\n\r\n"
    assert send(bench, head).status == 200


def test_token(bench):
    """On an address that others can reach; the file's token counts anew with each reload."""
    config = {"admin": {"address": "0.0.0.0:0", "token_file": "admin.token"}}
    bench.write("admin.token", "first token\n")
    bench.start(config=config)

    def status(*fields, line="GET /readyz"):
        answer = ask(bench, line, *fields, host="gateway.example:9901")
        if answer.status == 401:
            assert answer.one("WWW-Authenticate") == b"Bearer"
        return answer.status
    for line in ("GET /readyz", "GET /healthz", "GET /metrics", "GET /nothing"):
        assert status(line=line) == 401
    for wrong in ("Bearer", "Bearer ", "Bearer first", "Bearer first token2", "Bearer FIRST TOKEN", "Basic first token",
                  "first token", "Bearer first token\u00ff"):
        assert status(f"Authorization: {wrong}") == 401, wrong
    assert status("Authorization: Bearer first token") == 200
    assert status("authorization: bearer first token ") == 200
    # With a token nobody needs to name a loopback address: a page elsewhere does not know it.
    assert status("Authorization: Bearer first token", "Origin: http://evil.example") == 200
    bench.write("admin.token", "second token\n")
    bench.gateway.reload()
    assert status("Authorization: Bearer first token") == 401
    assert status("Authorization: Bearer second token") == 200
    bench.write_files()
    bench.gateway.reload()
    assert status("Authorization: Bearer second token") == 403
    assert status() == 403


def test_token_on_loopback(bench):
    bench.write("admin.token", "a token")
    bench.start(config={"admin": {"address": "127.0.0.1:0", "token_file": "admin.token"}})
    assert ask(bench, "GET /readyz").status == 401
    assert ask(bench, "GET /readyz", "Authorization: Bearer a token").status == 200
    assert ask(bench, "GET /readyz", "Authorization: Bearer a token", host="evil.example").status == 403


# ---- limits


def test_large_requests(bench):
    bench.start(config=ADMIN)
    assert send(bench, request("GET /readyz HTTP/1.1", "Host: localhost", "X: " + "x" * 20000)).status == 431
    for body in (b"x" * (BODY_BYTES + 1), b"x" * (1 << 20)):
        assert ask(bench, "GET /readyz", body=body).status == 413
    # More than is passed over: nobody waits for all of it.
    client = admin_client(bench)
    client.send(message("GET /readyz HTTP/1.1", "Host: localhost", "Content-Length: 1000000000000"))
    answer = client.read_response()
    assert answer.status == 413 and "bytes" in error_of(answer)
    client = admin_client(bench)
    client.send(message("GET /readyz HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"))
    try:
        for _ in range(100):
            client.send(chunked(b"x" * 65536, last=b""))
        raise AssertionError("an endless body is taken")
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert ask(bench, "GET /healthz").status == 200


def answered_in_time(bench, begun, crowd, *fields, host="localhost"):
    """Whether /healthz is answered before one of a crowd of clients, who have sent no more than `begun`, has had its
    time; and the crowd. All of them are there when the server looks. Three times, as the machine may be slow; who waits
    for them is late each time."""
    for _ in range(3):
        since = time.monotonic()
        bench.gateway.freeze()
        slow = [admin_client(bench) for _ in range(crowd)]
        for client in slow:
            client.send(begun)
        late = admin_client(bench)
        late.send(request("GET /healthz HTTP/1.1", f"Host: {host}", *fields))
        bench.gateway.thaw()
        assert late.read_response().status == 200
        if time.monotonic() - since < SECONDS:
            return True, slow
        for client in slow:
            client.sock.close()
    return False, []


def test_slow_clients_and_many(bench):
    """They fill all places, and the oldest loses his to who comes: a probe does not wait for him. All lose them when their
    time is over; clients of the gateway do not notice."""
    bench.start(config=ADMIN)
    for begun in (b"", b"GET /readyz HT", message("POST /readyz HTTP/1.1", "Host: localhost", "Content-Length: 10", body=b"x")):
        in_time, slow = answered_in_time(bench, begun, CONNECTIONS)
        assert in_time, begun
        slow[0].expect_end()
        if not begun:
            bench.exchange(bench.client(), bench.v1)
        for client in slow:
            client.sock.close()
    slow = [admin_client(bench) for _ in range(3)]
    slow[1].send(b"GET /readyz HT")
    slow[2].send(message("POST /readyz HTTP/1.1", "Host: localhost", "Content-Length: 10", body=b"x"))
    for client in slow:
        client.expect_end()
    assert ask(bench, "GET /readyz").status == 200


def test_many_whole_requests_at_once(bench):
    """Whose request was whole when he came does not lose his place to who comes later, also before it is read."""
    bench.start(config=ADMIN)
    body = b'{"url":"http://shop.example.com/"}'
    slow = [admin_client(bench) for _ in range(CONNECTIONS - 1)]
    for client in slow:
        client.send(message("POST /api/v1/explain HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"))
    assert ask(bench, "GET /healthz").status == 200  # those heads were read before
    bench.gateway.freeze()
    for client in slow:
        with contextlib.suppress(OSError):  # on a busy machine their time may be over
            client.send(body)
    quick = [admin_client(bench) for _ in range(64)]
    for client in quick:
        client.send(message("GET /healthz HTTP/1.1", "Host: localhost"))
    bench.gateway.thaw()
    assert [client.read_response().status for client in quick] == [200] * len(quick)


def test_many_of_one_address(bench):
    """Where others can reach it: an address has fewer places, and its newest connection takes that of its oldest."""
    bench.write("admin.token", "a token")
    bench.start(config={"admin": {"address": "0.0.0.0:0", "token_file": "admin.token"}})
    for begun in b"", message("POST /readyz HTTP/1.1", "Host: a", "Authorization: Bearer a token", "Content-Length: 10", body=b"x"):
        in_time, slow = answered_in_time(bench, begun, OF_AN_ADDRESS, "Authorization: Bearer a token", host="a")
        assert in_time, begun
        slow[0].expect_end()
        for client in slow:
            client.sock.close()


# ---- readiness


def test_not_ready_while_it_drains(bench):
    bench.start(config={**ADMIN, "timeouts": {"drain_delay": "1h"}})
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line(r"^adit: draining$")
    answer = ask(bench, "GET /readyz")
    assert (answer.status, answer.body) == (503, b"draining\n")
    assert ask(bench, "GET /healthz").status == 200
    assert b"\nadit_ready 0\n" in ask(bench, "GET /metrics").body
    origin.send(response())
    assert client.read_response().status == 200
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()


def test_end_with_open_connections(bench):
    """Of all kinds: nobody is waited for, and nothing is left (the leak checker looks)."""
    bench.start(config=ADMIN)
    idle, begun = admin_client(bench), admin_client(bench)
    begun.send(message("GET /readyz HTTP/1.1", "Host: localhost", "Content-Length: 10", body=b"x"))
    assert ask(bench, "GET /readyz").status == 200  # so that they were accepted
    bench.gateway.signal(signal.SIGTERM)
    for client in (idle, begun):
        client.expect_end()
    bench.gateway.expect_clean_end()


# ---- metrics


def test_metrics_add_up(bench):
    """Over two workers, and the same that the gateway says at its end."""
    bench.start(config={**ADMIN, "workers": 2})
    before = scrape(bench)
    assert before["adit_requests_total"] == before["adit_open_connections"] == 0
    assert before["adit_workers"] == 2 and before["adit_routes"] == 1 and before["adit_ready"] == 1
    assert before["adit_mirrors_original_seconds_total"] == before["adit_mirrors_copy_seconds_total"] == 0
    bench.v1.serve(lambda got: response())
    clients = [bench.client() for _ in range(20)]
    for _ in range(3):
        for client in clients:
            client.send(request())
        for client in clients:
            assert client.read_response().status == 200
    clients[0].send(b"nonsense\r\n\r\n")
    assert clients[0].read_response().status == 400
    clients[0].expect_end()
    after = scrape(bench, lambda got: got["adit_open_connections"] == 19)
    assert after["adit_connections_total"] == 20
    assert after["adit_requests_total"] == 60 and after["adit_responses_total"] == 60
    assert after["adit_requests_refused_total"] == 1
    assert after["adit_uptime_seconds"] >= before["adit_uptime_seconds"]
    check_format(ask(bench, "GET /metrics").body)
    said = bench.counters()
    assert {name for name in said if f"adit_{name}_total" not in after} == set()
    assert said["requests"] == 60 and said["connections"] == 20


RULES = {"match": {"hosts": ["shop.example.com"]},
         "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}, {"id": "never", "when": {"path": "/never"}, "to": "v1"}]}


def traffic(got, name="adit_route_requests_total"):
    """{(variant, reason, status): requests}"""
    found = {}
    for sample, value in got.items():
        labels = dict(re.findall(r'(\w+)="([^"]*)"', sample))
        if sample.startswith(name + "{"):
            assert labels["route"] == ("shop" if labels["variant"] else "")
            found[labels["variant"], labels["reason"], labels["status"]] = value
    return found


CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


def classes(got):
    """{(variant, status): requests}, which are as traffic() has them, and there before there are any."""
    found, name = {}, "adit_variant_requests_total"
    for sample, value in got.items():
        if sample.startswith(name + "{"):
            variant, status = re.fullmatch(name + r'\{route="(?:shop)?",variant="(.*)",status="(.*)"\}', sample).groups()
            found[variant, status] = value
    sums = dict.fromkeys(((variant, status) for variant, _ in found for status in CLASSES), 0)
    for (variant, _, status), value in traffic(got).items():
        sums[variant, status] += value
    assert found == sums
    return found


def test_answers_that_break_off(bench):
    """They have the class of their heads, and a series of their own."""
    bench.start(config=ADMIN, rules=RULES)
    client, origin = bench.client(), bench.canary
    assert scrape(bench)['adit_variant_cut_total{route="shop",variant="canary"}'] == 0
    client.send(request("GET / HTTP/1.1", "X-Beta: 1"))
    connection = origin.accept()
    connection.read_request()
    connection.send(message("HTTP/1.1 200 OK", "Content-Length: 10", body=b"123"))
    connection.close()
    assert client.read_to_end().endswith(b"\r\n\r\n123")
    got = scrape(bench, lambda got: traffic(got) == {("canary", "rule", "2xx"): 1})
    cut = {sample: n for sample, n in got.items() if sample.startswith("adit_variant_cut_total")}
    assert [sample for sample, n in cut.items() if n] == ['adit_variant_cut_total{route="shop",variant="canary"}'], cut
    assert cut['adit_variant_cut_total{route="shop",variant="canary"}'] == got["adit_cut_total"] == 1


def test_requests_by_what_was_decided(bench):
    """By route, variant, reason, status and rule; names go on counting over reloads."""
    bench.start(config={**ADMIN, "workers": 2}, rules=RULES)
    bench.v1.serve(lambda got: response("304 Not Modified") if got.target == b"/same" else response())
    bench.canary.serve(lambda got: response("503 Service Unavailable"))

    def play():
        beta = request("GET / HTTP/1.1", "X-Beta: 1")
        for raw, status in ((request(), 200), (request("GET /same HTTP/1.1"), 304), (beta, 503), (beta, 503),
                            (request("GET / HTTP/1.1", "X-Canary: always"), 503), (request("GET / HTTP/1.1", "X-Canary: never"), 200),
                            (request("GET /never HTTP/1.1"), 200), (request("GET / HTTP/1.1", "Host: other.example"), 404)):
            client = bench.client()
            client.send(raw)
            assert client.read_response().status == status
        client = bench.client()
        client.send(request("TRACE / HTTP/1.1", body=b"x"))
        assert client.read_response().status == 400

    def expected(times):
        once = {("v1", "default", "2xx"): 1, ("v1", "default", "3xx"): 1, ("canary", "rule", "5xx"): 2, ("canary", "forced", "5xx"): 1,
                ("v1", "forced", "2xx"): 1, ("v1", "rule", "2xx"): 1, ("", "no_route", "4xx"): 1, ("", "none", "4xx"): 1}
        return {key: times * value for key, value in once.items()}

    def rules(got):
        return [got[f'adit_rule_requests_total{{route="shop",rule="{rule}"}}'] for rule in ("beta", "never")]
    got = scrape(bench)
    assert traffic(got) == {}
    assert classes(got) == {(variant, status): 0 for variant in ("", "v1", "canary") for status in CLASSES}
    play()
    got = scrape(bench, lambda got: traffic(got) == expected(1))
    assert rules(got) == [2, 1]
    happened = {("", "4xx"): 2, ("v1", "2xx"): 3, ("v1", "3xx"): 1, ("canary", "5xx"): 3}
    assert {key: n for key, n in classes(got).items() if n} == happened
    bench.gateway.reload()
    play()
    got = scrape(bench, lambda got: traffic(got) == expected(2))
    assert rules(got) == [4, 2]
    assert sum(traffic(got).values()) == got["adit_requests_total"] == 18
    for kind in ("duration", "first_byte"):
        name = f"adit_route_{kind}_seconds"
        assert got[f'{name}_count{{route="shop",variant="v1"}}'] == 8
        assert got[f'{name}_count{{route="",variant=""}}'] == 4
        buckets = [value for sample, value in got.items() if sample.startswith(f'{name}_bucket{{route="shop",variant="canary"')]
        assert len(buckets) == 15 and buckets == sorted(buckets) and buckets[-1] == 6
        assert 0 <= got[f'{name}_sum{{route="shop",variant="canary"}}'] < 6 * DEADLINE
    check_format(ask(bench, "GET /metrics").body)
    # What has gone stays, so that what comes back goes on.
    bench.write_files(config={**ADMIN, "workers": 2}, rules={**RULES, "rules": None})
    bench.gateway.reload()
    assert rules(scrape(bench)) == [4, 2]
    bench.write_files(config={**ADMIN, "workers": 2}, rules=RULES)
    bench.gateway.reload()
    play()
    got = scrape(bench, lambda got: traffic(got) == expected(3))
    assert rules(got) == [6, 3] and sum(classes(got).values()) == 27
    # What comes begins at 0.
    bench.write_files(config={**ADMIN, "workers": 2}, rules={**RULES, "variants": {"next": "shop-canary"}, "canaries": ["canary", "next"]})
    bench.gateway.reload()
    assert [classes(scrape(bench))["next", status] for status in CLASSES] == [0] * 6


def test_time_that_an_answer_takes(bench):
    """The head comes before the end; who leaves before any answer is counted, too."""
    bench.start(config=ADMIN)
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", "Content-Length: 2", body=b"o"))
    client.read_head()
    got = scrape(bench)
    v1 = '{route="shop",variant="v1"}'
    assert got["adit_route_first_byte_seconds_count" + v1] == 1
    assert got["adit_route_duration_seconds_count" + v1] == 0 and traffic(got) == {}
    origin.send(b"k")
    assert client.read_exact(2) == b"ok"
    got = scrape(bench, lambda got: traffic(got) == {("v1", "default", "2xx"): 1})
    assert got["adit_route_duration_seconds_sum" + v1] >= got["adit_route_first_byte_seconds_sum" + v1] > 0
    client.send(request())
    origin.read_request()
    client.reset()
    scrape(bench, lambda got: traffic(got) == {("v1", "default", "2xx"): 1, ("v1", "default", "none"): 1})


def test_loads_are_counted(bench):
    bench.start(config=ADMIN)

    def loads():
        got = scrape(bench)
        hashes = [re.search(r'hash="([0-9a-f]{64})"', name)[1] for name in got if name.startswith("adit_config_info")]
        counts = [got[f'adit_loads_total{{outcome="{one}"}}'] for one in ("loaded", "in_part", "refused")]
        return counts, got["adit_last_load_successful"], hashes[0]
    first = loads()
    assert first[:2] == ([1, 0, 0], 1)
    bench.gateway.reload()
    assert loads() == ([2, 0, 0], 1, first[2])
    bench.write("shop.json", "{")
    bench.gateway.reload()
    assert loads() == ([2, 1, 0], 0, first[2])
    bench.write("adit.json", "{")
    bench.gateway.reload()
    assert loads() == ([2, 1, 1], 0, first[2])
    bench.write_files(config=ADMIN, rules={"expose_decision": True})
    bench.gateway.reload()
    last = loads()
    assert last[:2] == ([3, 1, 1], 1) and last[2] != first[2]
