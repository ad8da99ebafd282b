"""Attributes from a Redis server: Debian's own, and one that is played."""
import contextlib
import socket
import subprocess

from harness import DEADLINE
from test_lookups import RULES, ask, config, variant
from visitors import answer_names

SINCE = "2026-03-04T00:00:00Z"
ANSWER = f"*2\r\n${len(SINCE)}\r\n{SINCE}\r\n$-1\r\n".encode()
QUESTION = b"*4\r\n$5\r\nHMGET\r\n$7\r\nuser:42\r\n$13\r\nregistered_at\r\n$9\r\nplan.tier\r\n"


@contextlib.contextmanager
def redis_server(bench):
    """A server that takes connections; its port."""
    port = bench.hold()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", bench.directory.name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = []
        assert any(said.append(line) or "Ready to accept connections" in line for line in server.stdout), "".join(said)
        yield port
    finally:
        server.kill()
        server.communicate()


def command(port, *words):
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        sock.sendall(" ".join(words).encode() + b"\r\n")
        return sock.recv(4096)


def start_redis(bench, port, database=0, **lookup):
    answer_names(*bench.origins[:2])
    changed = config(bench.v1)
    changed["lookups"]["users"] = {"url": f"redis://127.0.0.1:{port}/{database}?key=user:{{user.id}}",
                                   "timeout": "20s", **lookup}
    bench.start(config=changed, rules=RULES)


def test_a_real_server(bench):
    with redis_server(bench) as port:
        command(port, "HSET user:42 registered_at", SINCE)
        command(port, "HSET user:old registered_at 2020-01-01")
        command(port, "SET user:wrong x")
        command(port, "HSET user:1:2 registered_at", SINCE)
        start_redis(bench, port)
        assert variant(ask(bench)) == "canary"
        assert variant(ask(bench, "old")) == "v1"
        assert variant(ask(bench, "nobody")) == "v1"
        assert variant(ask(bench, "wrong")) == "v1"
        assert variant(ask(bench, "1:2")) == "v1"
        counts = bench.counters()
    assert counts["lookups_asked"] == 4 and counts["lookups_unknown"] == 1, counts
    assert counts["lookups_failed"] == 1 and counts["lookups_refused"] == 1, counts


def test_a_database(bench):
    with redis_server(bench) as port:
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
            sock.sendall(f"SELECT 3\r\nHSET user:42 registered_at {SINCE}\r\n".encode())
            while b":1\r\n" not in sock.recv(100):
                pass
        start_redis(bench, port, 3)
        assert variant(ask(bench)) == "canary"


def test_a_database_that_is_not_there(bench):
    """Another one is not read in its place."""
    with redis_server(bench) as port:
        command(port, "HSET user:42 registered_at", SINCE)
        start_redis(bench, port, 99)
        assert variant(ask(bench)) == "v1"
        assert bench.counters()["lookups_failed"] == 1


def played(bench, **lookup):
    directory = bench.origin("redis")
    start_redis(bench, directory.port, **lookup)
    return directory


def test_one_connection(bench):
    directory = played(bench)
    client, other = ask(bench), ask(bench, "43")
    peer = directory.accept()
    assert peer.read_exact(len(QUESTION)) == QUESTION
    assert peer.read_exact(len(QUESTION)) == QUESTION.replace(b"42", b"43")
    peer.send(ANSWER + b"*2\r\n$-1\r\n$-1\r\n")
    assert (variant(client), variant(other)) == ("canary", "v1")


def test_it_hangs_up(bench):
    directory = played(bench)
    clients = [ask(bench), ask(bench, "43")]
    peer = directory.accept()
    peer.read_exact(2 * len(QUESTION))
    peer.close()
    assert [variant(client) for client in clients] == ["v1", "v1"]
    client = ask(bench, "44")
    peer = directory.accept()
    peer.read_exact(len(QUESTION))
    peer.send(ANSWER)
    assert variant(client) == "canary"
    # While nobody asks: noticed, and a new connection is made.
    peer.close()
    assert variant(ask(bench, target="/static/")) == "canary"
    client = ask(bench, "45")
    peer = directory.accept()
    peer.read_exact(len(QUESTION))
    peer.send(ANSWER)
    assert variant(client) == "canary"


def test_bad_answers(bench):
    directory = played(bench, timeout="300ms", bytes="1KiB", breaker={"failures": 100})
    wrong = [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n", b"-ERR no\r\n", b"*1\r\n$1\r\na\r\n",
             b"*2\r\n:1\r\n:2\r\n", b"*2\r\n$536870912\r\n" + b"x" * 100_000, b"*2\r\n$2000\r\n" + b"x" * 2000 + b"\r\n$-1\r\n",
             b"*1000000\r\n", b"*-2\r\n", b"*1\r\n" * 12]
    peer = None
    for user, answer in enumerate(wrong):
        client = ask(bench, str(user).zfill(2))
        if peer is None:
            peer = directory.accept()
        try:
            peer.read_exact(len(QUESTION))
        except Exception:  # it was given up for the last answer
            peer = directory.accept()
            peer.read_exact(len(QUESTION))
        try:
            peer.send(answer)
        except OSError:
            pass
        assert variant(client) == "v1", answer[:40]
    counts = bench.counters()
    assert counts["lookups_asked"] == len(wrong) == counts["lookups_failed"] + counts["lookups_timeouts"], counts


def test_a_stop_with_questions_under_way(bench):
    directory = played(bench, timeout="300ms")
    clients = [ask(bench, user) for user in (42, 43, 44)]
    directory.accept().read_exact(3 * len(QUESTION))
    clients[0].reset()
    bench.gateway.process.terminate()
    assert [variant(client) for client in clients[1:]] == ["v1", "v1"]


def test_a_reload_that_takes_it_away(bench):
    """With a question that nobody waits for any more."""
    directory = played(bench)
    client = ask(bench)
    directory.accept().read_exact(len(QUESTION))
    client.reset()
    bench.write_files({}, {})
    bench.gateway.reload()
    assert variant(ask(bench)) == "v1"
