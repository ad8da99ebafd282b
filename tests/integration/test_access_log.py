"""The access log: what its lines say, and what becomes of them when its file is moved, full, or not read."""
import datetime
import fcntl
import json
import os
import pathlib
import pwd
import re
import resource
import signal

from admin import ADMIN, scrape
from handshakes import open_tunnel
from harness import DEADLINE, Gateway, Task, message, request, response
from sockets import wait_for
from test_admin import traffic
from test_privileges import for_root, write_for
from visitors import answer_names

LOG = {"access_log": {"path": "access.log"}}
OPENED_AGAIN = r"access_log: .*/?access\.log was opened again"
OPERATIONS = pathlib.Path(__file__).resolve().parents[2] / "docs/operations.md"
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TO_CANARY = {"rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
BETA = request("GET / HTTP/1.1", "X-Beta: 1")


def path_of(bench, name="access.log"):
    return os.path.join(bench.directory.name, name)


def lines_of(bench, name="access.log"):
    with open(path_of(bench, name), "rb") as file:
        whole = file.read()
    assert whole == b"" or whole.endswith(b"\n")
    return whole.splitlines()


def fields_in(text, heading):
    """The fields that the first table under a heading of the documents has."""
    table = text.split(heading + "\n", 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.M)


def written(bench):
    """How many lines there are so far: who reads a file while it is written may see a part of what is coming."""
    with open(path_of(bench), "rb") as file:
        return file.read().count(b"\n")


def entries(bench, name="access.log"):
    """Of all that was asked: stops the gateway first."""
    bench.stop()
    return [json.loads(line) for line in lines_of(bench, name)]


def only(bench):
    found = entries(bench)
    assert len(found) == 1, found
    return found[0]


def expect(entry, **values):
    wrong = {name: entry[name] for name, value in values.items() if entry[name] != value}
    assert not wrong, wrong


def ask_many(bench, n, clients=2, lines=lambda n: []):
    """So many requests over so many connections, at the same time; `lines` of the n-th."""
    def visit(first):
        client = bench.client()
        for number in range(first, n, clients):
            client.send(request("GET / HTTP/1.1", *lines(number)))
            assert client.read_response().status == 200
    for task in [Task(visit, first) for first in range(clients)]:
        task.result()


# ---- what a line says


def test_fields(bench):
    """Every field of the table in the documents, in its order, and no other."""
    bench.start(config=LOG, rules=TO_CANARY)
    client = bench.client()
    body = b"four"
    sent = request("POST /a%20b?q=1&q=%22 HTTP/1.1", "X-Beta: 1", "User-Agent: probe/1", "Referer: http://a/b",
                   body=body)
    _, got, _ = bench.exchange(client, bench.canary, sent, response(body=b"answered"))
    entry = only(bench)
    text = OPERATIONS.read_text(encoding="utf-8")
    assert list(entry) == fields_in(text, "### Fields of a line")
    expect(entry, client_ip="127.0.0.1", method="POST", scheme="http", host="shop.example.com", path="/a%20b",
           query="q=1&q=%22", protocol="HTTP/1.1", user_agent="probe/1", referer="http://a/b", status=200,
           end="complete", error=None, bytes_received=4, bytes_sent=8, upstream="shop-canary",
           endpoint=bench.canary.address, retries=0, route="shop", variant="canary", rule="beta", reason="rule",
           bucket=None, request_id=got.one("X-Request-Id").decode())
    assert TIME.fullmatch(entry["time"]) and re.fullmatch("[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16}", entry["config"])
    assert 0 <= entry["connect_ms"] <= entry["first_byte_ms"] <= entry["duration_ms"] < 10_000


def test_odd_bytes(bench):
    odd = bytes([*range(0x20, 0x7f), *range(0x80, 0x100)]) + "\u00e9\u2028".encode() + b"\t\"\\"
    bench.start(config=LOG)
    bench.exchange(bench.client(), bench.v1, message(
        "GET /%22?' HTTP/1.1", b"Host: shop.example.com", b"User-Agent: x" + odd + b"x"))
    entry = only(bench)
    assert entry["user_agent"] == "x" + odd.decode("utf-8", "replace") + "x"


def test_bucket_and_default(bench):
    bench.start(config=LOG, rules={"default": {"split": {"canary": 100}}})
    bench.exchange(bench.client(), bench.canary)
    entry = only(bench)
    expect(entry, reason="default", variant="canary", rule=None)
    assert 0 <= entry["bucket"] < 10000


def test_answers_of_our_own(bench):
    bench.start(v1=[bench.refusing()], config=LOG, rules={"match": {"hosts": ["shop.example.com"]}})
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "Host: unknown.example"))
    length = len(client.read_response().body)
    client.send(request())
    client.read_response()
    client.close()
    bench.refused(request("GET /../.. HTTP/1.1"))
    bench.refused(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    not_found, bad_gateway, bad_path, unreadable = entries(bench)
    expect(not_found, status=404, route=None, reason="no_route", upstream=None, endpoint=None, connect_ms=None,
           request_id=None, bytes_sent=length, error="no route for this host and path", host="unknown.example")
    expect(bad_gateway, status=502, route="shop", variant="v1", upstream="shop-v1", connect_ms=None,
           error="the service refused the connection", end="complete")
    assert bad_gateway["endpoint"]
    expect(bad_path, status=400, path="/../..", reason=None, route=None)
    expect(unreadable, status=400, method=None, path=None, protocol=None, client_ip="127.0.0.1", reason=None)
    assert unreadable["error"]


def test_heads_that_are_refused(bench):
    """Each is one of the requests of no route, by its class, and its line has bytes and times."""
    bench.start(config={**ADMIN, **LOG, "timeouts": {"header": "200ms"}, "limits": {"header_bytes": "4KiB", "request_line_bytes": "1KiB"}})
    host = "Host: shop.example.com"
    sent = []
    for status, raw in (
            (408, b"GET / HTTP/1.1\r\nHost"),
            (400, message("GET / HTTP/1.1", "Host : a")),
            (400, message("HEAD / HTTP/1.1", "Host : a")),
            (414, message("GET /" + "x" * 2000 + " HTTP/1.1", host)),
            (417, message("GET / HTTP/1.1", host, "Expect: more")),
            (431, message("GET / HTTP/1.1", host, "A: " + "x" * 5000)),
            (501, message("POST / HTTP/1.1", host, "Transfer-Encoding: gzip, chunked")),
            (505, message("GET / HTTP/2.0", host))):
        answer = bench.refused(raw, raw.split()[0].decode())
        assert answer.status == status
        sent.append((status, len(answer.body), answer.body.decode().strip() or None))
    got = scrape(bench)
    assert traffic(got) == {("", "none", "4xx"): 6, ("", "none", "5xx"): 2}
    assert sum(traffic(got).values()) == got["adit_requests_refused_total"] and got["adit_requests_total"] == 0
    assert got['adit_route_duration_seconds_count{route="",variant=""}'] == 0
    lines = entries(bench)
    assert len(lines) == len(sent)
    for line, (status, length, why) in zip(lines, sent):
        expect(line, status=status, end="complete", bytes_sent=length, bytes_received=None, route=None, reason=None, method=None)
        assert why is None or line["error"] in why, line
        assert 0 <= line["duration_ms"] == line["first_byte_ms"] < 1000 * DEADLINE
    late, following = lines[:2]
    assert late["duration_ms"] >= 190  # a turn's time may be older than its timers'
    assert datetime.datetime.fromisoformat(following["time"][:-1]) - datetime.datetime.fromisoformat(late["time"][:-1]) >= datetime.timedelta(seconds=0.19)


def test_failover(bench):
    refusing = bench.refusing()
    bench.start(canary=[refusing], config=LOG, rules=TO_CANARY)
    bench.exchange(bench.client(), bench.v1, BETA)
    expect(only(bench), reason="failover", variant="v1", upstream="shop-v1", endpoint=bench.v1.address,
           rule="beta", status=200, retries=0)


def test_retry(bench):
    """The connection had been idle, and was dead: the request went out twice, and the second time it connected."""
    bench.start(config=LOG)
    client = bench.client()
    peer, _, _ = bench.exchange(client, bench.v1)
    bench.exchange(client, peer)
    client.send(request())
    peer.read_request()
    peer.close()
    second = bench.v1.accept()
    second.read_request()
    second.send(response())
    client.read_response()
    first, again, retried = entries(bench)
    assert first["connect_ms"] is not None and again["connect_ms"] is None
    expect(retried, retries=1, status=200, endpoint=bench.v1.address)
    assert retried["connect_ms"] is not None


def test_cut_response(bench):
    bench.start(config=LOG)
    client = bench.client()
    client.send(request())
    peer = bench.v1.accept()
    peer.read_request()
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour")
    assert client.read_head().status == 200 and client.read_exact(4) == b"four"
    peer.close()
    client.expect_end()
    expect(only(bench), status=200, end="cut", bytes_sent=4, error=None)


def test_client_that_leaves(bench):
    bench.start(config=LOG)
    client = bench.client()
    client.send(request("GET /gone HTTP/1.1"))
    peer = bench.v1.accept()
    peer.read_request()
    client.reset()
    peer.expect_gone()
    expect(only(bench), status=None, end="client_gone", path="/gone", first_byte_ms=None, bytes_sent=0,
           endpoint=bench.v1.address)


def test_head_and_stop(bench):
    bench.start(config={**LOG, "timeouts": {"drain": "10s"}})
    client = bench.client()
    peer, _, _ = bench.exchange(client, bench.v1, request("HEAD / HTTP/1.1"),
                                message("HTTP/1.1 200 OK", "Content-Length: 5"), answers="HEAD")
    wait_for(lambda: written(bench) == 1, "the first line is not written")
    client.send(request("GET /slow HTTP/1.1"))
    peer.read_request()  # and is not answered; a second signal stops now
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()
    head, stopped = entries(bench)
    expect(head, method="HEAD", bytes_sent=0, status=200, end="complete")
    expect(stopped, path="/slow", end="stopped", status=None)


def test_tunnel(bench):
    bench.start(config=LOG)
    client, origin, _, _ = open_tunnel(bench)
    client.send(b"12345")
    assert origin.read_exact(5) == b"12345"
    origin.send(b"123")
    assert client.read_exact(3) == b"123"
    client.close()
    origin.expect_gone()
    origin.close()
    expect(only(bench), status=101, method="GET", host="shop.example.com", bytes_received=5, bytes_sent=3)


def test_trusted_request_id(bench):
    bench.start(config={**LOG, "trusted_proxies": ["127.0.0.0/8"]})
    bench.exchange(bench.client(), bench.v1, request(
        "GET / HTTP/1.1", "X-Request-Id: from-proxy", "X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: https"))
    expect(only(bench), request_id="from-proxy", client_ip="192.0.2.9", scheme="https")


def test_combined(bench):
    bench.start(config={"access_log": {"path": "access.log", "format": "combined"}})
    bench.exchange(bench.client(), bench.v1, request("GET /a?b HTTP/1.1", 'User-Agent: a "b" \xe9', "Referer: /c"))
    bench.refused(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    bench.stop()
    when = rb"\[\d\d/[A-Z][a-z]{2}/20\d\d:\d\d:\d\d:\d\d \+0000\]"
    good, refused = lines_of(bench)
    assert re.fullmatch(rb'127\.0\.0\.1 - - ' + when + rb' "GET /a\?b HTTP/1\.1" 200 2 "/c" "a \\"b\\" \\xe9"', good), good
    assert re.fullmatch(rb'127\.0\.0\.1 - - ' + when + rb' "-" 400 40 "-" "-"', refused), refused


def test_copies_have_no_line(bench):
    bench.start(config=LOG, rules={"mirror": {"to": "canary"}})
    bench.exchange(bench.client(), bench.v1)
    copy = bench.canary.accept()
    copy.read_request()
    copy.send(response())
    expect(only(bench), variant="v1", upstream="shop-v1")


def test_there_is_none_unless_it_is_asked_for(bench):
    bench.start()
    bench.exchange(bench.client(), bench.v1)
    before = set(os.listdir(bench.directory.name))
    bench.gateway.signal(signal.SIGUSR1)  # nothing is opened again
    assert "access_log_written" not in bench.counters()
    assert before == {"adit.json", "shop.json", "sticky.key"}


# ---- its file


def test_rotation_under_load_loses_nothing(bench):
    answer_names(*bench.origins)
    bench.start(config={**LOG, "workers": 2})
    load = Task(ask_many, bench, 3000, 4)
    for n in range(1, 6):
        since = len(bench.gateway.lines)
        wait_for(lambda: written(bench) > 0 or not load.thread.is_alive(), "no lines come")
        os.rename(path_of(bench), path_of(bench, f"old{n}.log"))
        bench.gateway.signal(signal.SIGUSR1)
        bench.gateway.wait_line(OPENED_AGAIN, since)
    load.result()
    bench.stop()
    names = ["access.log", *(f"old{n}.log" for n in range(1, 6))]
    found = [json.loads(line) for name in names for line in lines_of(bench, name)]
    ids = {entry["request_id"] for entry in found}
    assert len(found) == len(ids) == 3000
    assert os.stat(path_of(bench)).st_mode & 0o137 == 0


def test_file_that_cannot_be_opened_again(bench):
    os.mkdir(path_of(bench, "logs"))
    bench.start(config={"access_log": {"path": "logs/access.log"}})
    os.rename(path_of(bench, "logs"), path_of(bench, "moved"))
    bench.gateway.signal(signal.SIGUSR1)
    bench.gateway.wait_line(r"warning: access_log: .*logs/access\.log cannot be opened again: No such file or "
                            r"directory; the old file is written on")
    bench.exchange(bench.client(), bench.v1)
    bench.stop()
    assert len(lines_of(bench, "moved/access.log")) == 1


def test_file_that_cannot_be_made(bench):
    bench.write_files(config={"access_log": {"path": "none/access.log"}})
    bench.gateway = Gateway(bench.binary, bench.directory.name, bench.transcript)
    assert bench.gateway.wait_end() == 1
    bench.gateway.wait_line(r"error: access_log: none/access\.log cannot be written: No such file or directory")
    bench.gateway = None


@for_root
def test_user_without_rights(bench):
    """What the start can open, the rotation can, too: both are done by the user that was become."""
    write_for(bench, "nobody", user="nobody", **LOG)
    bench.run()
    bench.exchange(bench.client(), bench.v1)
    wait_for(lambda: written(bench) == 1, "the line is not written")
    os.rename(path_of(bench), path_of(bench, "old.log"))
    bench.gateway.signal(signal.SIGUSR1)
    bench.gateway.wait_line(OPENED_AGAIN)
    assert os.stat(path_of(bench)).st_uid == pwd.getpwnam("nobody").pw_uid
    bench.stop()
    os.chown(bench.directory.name, 0, 0)
    os.chmod(bench.directory.name, 0o755)
    os.remove(path_of(bench))
    bench.gateway = Gateway(bench.binary, bench.directory.name, bench.transcript)
    assert bench.gateway.wait_end() == 1
    bench.gateway.wait_line(r"error: access_log: access\.log cannot be written: Permission denied; the user that the "
                            r"gateway runs as must be able to make it")
    bench.gateway = None


def test_change_waits_for_the_next_start(bench):
    bench.start(config=LOG)
    bench.write_files(config={"access_log": {"path": "other.log"}})
    assert any("a change of 'access_log' is taken up at the next start" in line for line in bench.gateway.reload())


def test_disk_full(bench):
    """Every line is lost and counted, one warning is enough, and nobody notices."""
    answer_names(*bench.origins)
    os.symlink("/dev/full", path_of(bench))
    bench.start(config={**LOG, "workers": 2})
    ask_many(bench, 200)
    warning = bench.gateway.wait_line(r"warning: access_log: access\.log cannot be written: No space left on device; "
                                      r"lines are lost")
    ask_many(bench, 200)
    counters = bench.counters()
    assert counters["access_log_lost"] == counters["requests"] == 400 and "access_log_written" not in counters
    assert sum(warning.re.search(line) is not None for line in bench.gateway.lines) == 1


def test_file_too_large(bench):
    """A line that got only in part is ended before the next, and is the only one that is no JSON."""
    answer_names(*bench.origins)
    bench.start(config=LOG)
    soft, hard = resource.prlimit(bench.gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bench.gateway.process.pid, resource.RLIMIT_FSIZE, (10_000, hard))
    ask_many(bench, 100)
    bench.gateway.wait_line(r"access_log: access\.log cannot be written: File too large")
    resource.prlimit(bench.gateway.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
    ask_many(bench, 100)
    counters = bench.counters()
    lines = lines_of(bench)
    torn = [line for line in lines if not line.endswith(b"}")]
    whole = [json.loads(line) for line in lines if line.endswith(b"}")]
    assert len(torn) <= 1 and len(whole) == counters["access_log_written"] >= 100
    assert counters["access_log_written"] + counters["access_log_lost"] == 200


# ---- standard output


def start_on_pipe(bench, **config):
    """Its access log goes to a pipe, whose end for reading is given."""
    answer_names(*bench.origins)
    bench.write_files(config={"access_log": {}, **config})
    reads, writes = os.pipe()
    bench.run(stdout=writes)
    os.close(writes)
    return reads


def test_standard_output(bench):
    reads = start_on_pipe(bench)
    with open(reads, "rb") as pipe:
        reader = Task(lambda: {json.loads(line)["request_id"] for line in pipe})
        ask_many(bench, 100)
        bench.gateway.signal(signal.SIGUSR1)  # there is nothing to be opened again
        bench.stop()
        assert len(reader.result()) == 100


def test_reader_that_does_not_read(bench):
    """The pipe and then the ring fill up; requests go on, and what is lost is counted."""
    reads = start_on_pipe(bench)
    fcntl.fcntl(reads, fcntl.F_SETPIPE_SZ, 4096)
    client = bench.client()
    long = request("GET /?" + "q" * 6000 + " HTTP/1.1")
    n = 400  # of more than 6 KiB: twice the ring
    for _ in range(n):
        client.send(long)
        assert client.read_response().status == 200
    counters = bench.counters()
    assert counters["access_log_dropped"] > 100 and counters["access_log_lost"] > 100
    assert counters["access_log_dropped"] + counters["access_log_lost"] + counters.get("access_log_written", 0) == n
    os.close(reads)


def test_reader_that_is_slow_gets_all(bench):
    reads = start_on_pipe(bench)
    fcntl.fcntl(reads, fcntl.F_SETPIPE_SZ, 4096)
    ask_many(bench, 200)
    with open(reads, "rb") as pipe:
        reader = Task(lambda: [json.loads(line) for line in pipe])
        assert bench.counters()["access_log_written"] == 200
        assert len(reader.result()) == 200


def test_reader_that_has_gone(bench):
    os.close(start_on_pipe(bench))
    ask_many(bench, 100)
    bench.gateway.wait_line("access_log: - cannot be written: Broken pipe")
    assert bench.counters()["access_log_lost"] == 100
