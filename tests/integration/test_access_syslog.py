"""The access log to a syslog server: one datagram a line, and nobody waits for the server."""
import json
import os
import re
import signal
import socket

from harness import Task
from sockets import wait_for
from test_access_attributes import get
from test_access_log import ask_many
from visitors import answer_names, ask

LOCAL = re.compile(rb"<(\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d (\w+)\[(\d+)\]: (\{.*\})", re.S)
REMOTE = re.compile(rb"<(\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d [!-~]+ (\w+)\[(\d+)\]: (\{.*\})", re.S)


def server_at(bench, name="log"):
    """A server on a socket of its own."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.settimeout(10)
    server.bind(os.path.join(bench.directory.name, name))
    return server


def start(bench, parameters="", name="log", **config):
    answer_names(*bench.origins)
    path = os.path.join(bench.directory.name, name)
    bench.start(config={"access_log": {"path": f"syslog:server=unix:{path}{parameters}"}, **config})


def messages(server, n, pattern=LOCAL):
    """The next n as (priority, tag, pid, entry)."""
    found = []
    for _ in range(n):
        match = pattern.fullmatch(server.recv(1 << 17))
        assert match, found
        found.append((int(match[1]), match[2].decode(), int(match[3]), json.loads(match[4])))
    return found


def test_unix_socket(bench):
    start(bench)
    with server_at(bench) as server:
        ask(bench, target="/one")
        ask(bench, target="/two")
        one, two = messages(server, 2)
    assert one[:3] == (23 * 8 + 6, "adit", bench.gateway.process.pid)
    assert one[3]["path"] == "/one" and two[3]["path"] == "/two"
    assert bench.counters()["access_log_written"] == 2


def test_parameters(bench):
    start(bench, ",facility=local0,severity=notice,tag=shop_1")
    with server_at(bench) as server:
        ask(bench)
        assert messages(server, 1)[0][:2] == (16 * 8 + 5, "shop_1")


def test_udp(bench):
    """With the name of this machine, over IPv4 and IPv6."""
    answer_names(*bench.origins)
    for family, address, name in [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "[::1]")]:
        with socket.socket(family, socket.SOCK_DGRAM) as server:
            server.settimeout(10)
            server.bind((address, 0))
            bench.write_files(config={"access_log": {"path": f"syslog:server={name}:{server.getsockname()[1]}"}})
            bench.run()
            ask(bench, target="/u")
            assert messages(server, 1, REMOTE)[0][3]["path"] == "/u"
            bench.stop()


def test_workers_at_once(bench):
    """Each line whole in a message of its own, also where the rings begin again."""
    start(bench, workers=2)
    with server_at(bench) as server:
        n = 600  # of more than 4 KiB: 2.4 MiB through two rings of 1 MiB
        found = []

        def read():
            while len(found) < n:
                found.extend(messages(server, 1))
        reader = Task(read)
        ask_many(bench, n, 4, lambda number: [f"User-Agent: {number} " + "u" * 4000])
        reader.result()
    assert len({entry["user_agent"] for *_, entry in found}) == n
    assert bench.counters()["access_log_written"] == n


def test_server_that_does_not_read(bench):
    """Its queue fills up, then the ring; requests go on, and when it reads nothing of what was kept is missing."""
    start(bench)
    with server_at(bench) as server:
        ask_many(bench, 300, 2, lambda number: [f"User-Agent: {number} " + "u" * 1000])
        assert len({entry["user_agent"] for *_, entry in messages(server, 300)}) == 300
    assert bench.counters()["access_log_written"] == 300


def test_server_that_is_not_there(bench):
    """Lines are lost and counted, one warning is enough; it is found when it comes."""
    start(bench)
    ask(bench)
    bench.gateway.wait_line(r"warning: access_log: syslog:server=unix:\S+ cannot be written: No such file or directory; "
                            r"lines are lost, 1 so far")
    with server_at(bench) as server:
        ask(bench, target="/later")
        assert messages(server, 1)[0][3]["path"] == "/later"
    counters = bench.counters()
    assert counters["access_log_lost"] == 1 and counters["access_log_written"] == 1


def test_server_that_restarts(bench):
    """Another socket under the same name: no line is lost that was sent behind its start."""
    start(bench)
    with server_at(bench) as server:
        ask(bench)
        messages(server, 1)
    os.remove(os.path.join(bench.directory.name, "log"))
    with server_at(bench) as server:
        ask(bench, target="/again")
        assert messages(server, 1)[0][3]["path"] == "/again"
    assert "access_log_lost" not in bench.counters()


def test_server_that_moved(bench):
    """The old one still listens: SIGUSR1 leaves it."""
    start(bench)
    with server_at(bench) as old:
        ask(bench)
        messages(old, 1)
        os.remove(os.path.join(bench.directory.name, "log"))
        with server_at(bench) as new:
            bench.gateway.signal(signal.SIGUSR1)
            bench.gateway.wait_line("access_log: connected anew to syslog:server=unix:")
            ask(bench, target="/moved")
            assert messages(new, 1)[0][3]["path"] == "/moved"


def test_line_too_large(bench):
    """No datagram takes it: it alone is lost."""
    start(bench, limits={"header_bytes": "64KiB"}, trusted_proxies=["127.0.0.0/8"])
    with server_at(bench) as server:
        client = bench.client()
        get(client, *(name + b": " + b"\xff" * 8000 for name in (b"User-Agent", b"Referer", b"X-Request-Id")))
        get(client, target="/small")
        assert messages(server, 1)[0][3]["path"] == "/small"
    bench.gateway.wait_line("access_log: syslog:.* cannot be written: Message too long; lines are lost, 1 so far")
    counters = bench.counters()
    assert counters["access_log_lost"] == 1 and counters["access_log_written"] == 1
