"""Listening sockets that a service manager has bound: shared by all workers, and kept by the manager."""
import os
import pathlib
import re
import signal
import socket
import sys
import time

from harness import DEADLINE, Gateway, request, response
from test_privileges import (NOBODY, as_user, expect_no_rights, expect_user, for_root, give_files_to, low_port,
                             statuses)
from test_startup import run as run_to_the_end
from visitors import answer_names, served_by

ACTIVATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "activate.py")


def listening(port=0, host="127.0.0.1", family=socket.AF_INET):
    return socket.create_server((host, port), family=family, backlog=64)


def handing_over(*sockets):
    """How a gateway is started that gets these."""
    descriptors = [one.fileno() for one in sockets]
    return {"before": [sys.executable, ACTIVATE, ",".join(map(str, descriptors))], "pass_fds": descriptors}


def address_of(one):
    return "%s:%d" % one.getsockname()[:2]


def start(bench, one, **config):
    bench.write_files(config={"listen": [{"address": address_of(one)}], **config})
    bench.run(**handing_over(one))
    assert bench.port == one.getsockname()[1]


def watched(gateway):
    """For each epoll of the process the inodes of what is in it. A socket of which the process has
    closed its own descriptor stays there as long as another process has one."""
    process = pathlib.Path(f"/proc/{gateway.process.pid}")
    for link in (process / "fd").iterdir():
        try:
            if os.readlink(link) == "anon_inode:[eventpoll]":
                text = (process / "fdinfo" / link.name).read_text()
                yield [int(one, 16) for one in re.findall(r"^tfd:.* ino:([0-9a-f]+)", text, re.M)]
        except FileNotFoundError:
            pass  # closed meanwhile


def wait_idle(gateway):
    """Until every thread sleeps, so that the next connection finds all workers waiting for it."""
    while not all(thread["State"].startswith("S") for thread in statuses(gateway)):
        assert gateway.is_running()


def inode(one):
    return os.fstat(one.fileno()).st_ino


def expect_refused_start(bench, message, *sockets, **config):
    bench.write_files(config=config)
    said = run_to_the_end(bench, **handing_over(*sockets))
    assert said == [f"adit: error: socket activation: {message}"], said


def not_listening(descriptor):
    return (f"descriptor {descriptor} is not a listening TCP socket; let the socket unit have"
            " ListenStream=ADDRESS:PORT and Accept=no")


def test_one_socket_serves_all_workers(bench):
    """Connections that come one by one go to the workers in turn."""
    with listening() as one:
        start(bench, one, workers=2)
        expect_no_rights(bench.gateway)
        bench.v1.serve(lambda head: response())
        for _ in range(8):
            wait_idle(bench.gateway)
            client = bench.client()
            client.send(request())
            client.read_response()
        workers = [inodes for inodes in watched(bench.gateway) if inode(one) in inodes]
        # Each has its listener, its mailbox and the endpoint's connection too.
        assert [len(inodes) - 3 for inodes in workers] == [4, 4], workers


def test_own_addresses_beside(bench):
    """What was not handed over is opened as ever; IPv6 is told apart from IPv4."""
    with listening() as one, listening(host="::1", family=socket.AF_INET6) as six:
        bench.write_files(config={"listen": [
            {"address": "127.0.0.2:0"}, {"address": f"[::1]:{six.getsockname()[1]}"}, {"address": address_of(one)}]})
        bench.gateway = Gateway(bench.binary, bench.directory.name, bench.transcript, **handing_over(one, six))
        answer_names(bench.v1)
        ready = bench.gateway.wait_line(r"listening on 127\.0\.0\.2:(\d+), \[::1\]:(\d+), 127\.0\.0\.1:(\d+)$")
        assert int(ready[2]) == six.getsockname()[1]
        for place in (("127.0.0.2", int(ready[1])), ("::1", int(ready[2])), ("127.0.0.1", int(ready[3]))):
            with socket.create_connection(place, DEADLINE) as sock:
                sock.sendall(request("GET / HTTP/1.1", "Connection: close"))
                assert sock.makefile("rb").read().endswith(b"v1")


def test_nobody_is_refused_while_it_is_restarted(bench):
    """The manager keeps the socket: who connects between two gateways waits, and is served."""
    with listening() as one:
        start(bench, one, workers=2)
        running = bench.client()
        running.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        bench.gateway.signal(signal.SIGTERM)
        bench.gateway.wait_line("draining")
        # The last of both workers to let go of the socket: no event of it may wake them any more.
        deadline = time.monotonic() + DEADLINE
        while any(inode(one) in inodes for inodes in watched(bench.gateway)):
            assert time.monotonic() < deadline, "a worker still watches it"
        waiting = bench.client()
        waiting.send(request("GET /waiting HTTP/1.1"))
        origin.send(response("200 OK", "Connection: close"))
        assert running.read_response().status == 200
        bench.gateway.expect_clean_end()
        bench.run(**handing_over(one))
        peer = bench.v1.accept()
        assert peer.read_request().target == b"/waiting"
        peer.send(response())
        assert waiting.read_response().status == 200


@for_root
def test_low_port_without_any_right(bench):
    port = low_port(bench)
    if port is None:
        return
    with listening(port) as one:
        bench.write_files(config={"user": None, "listen": [{"address": address_of(one)}]})
        give_files_to(bench, NOBODY)
        handed = handing_over(one)
        handed["before"] = as_user(NOBODY, "--bounding-set=-all") + handed["before"]
        bench.run(**handed)
        expect_no_rights(bench.gateway)
        expect_user(bench.gateway, NOBODY)
        answer_names(bench.v1)
        assert served_by(bench) == "v1"


def test_socket_that_no_listen_has(bench):
    with listening() as one, listening(host="::1", family=socket.AF_INET6) as six:
        bench.write_files()
        said = run_to_the_end(bench, **handing_over(one, six))
        assert said == [
            f"adit: error: socket activation: a socket for {place}:{sock.getsockname()[1]} was handed over, but no"
            ' "listen" has that address (or it was handed over twice); make them agree'
            for place, sock in (("127.0.0.1", one), ("[::1]", six))], said


def test_what_is_no_listening_socket(bench):
    with listening() as one, socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.socket() as idle, \
            socket.socket(socket.AF_UNIX) as local, open(os.devnull, "rb") as file:
        local.bind("")
        local.listen()
        for wrong in (datagrams, idle, local, file):
            expect_refused_start(bench, not_listening(3), wrong)
            expect_refused_start(bench, not_listening(4), one, wrong,
                                 listen=[{"address": address_of(one)}])


def start_with(bench, **variables):
    """As a shell would pass them on; LISTEN_PID=own is the process itself."""
    script = "".join(f"{name}={value.replace('own', '$$')}; export {name}; " for name, value in variables.items())
    return {"before": ["/bin/sh", "-c", script + 'exec "$0" "$@"']}


def test_variables_that_are_meant_for_another(bench):
    bench.write_files()
    bench.run(**start_with(bench, LISTEN_PID="1", LISTEN_FDS="3"))
    answer_names(bench.v1)
    assert served_by(bench) == "v1"


def test_variables_that_say_nothing(bench):
    bench.write_files()
    for count in ("", "-1", "x", "1025"):
        said = run_to_the_end(bench, **start_with(bench, LISTEN_PID="own", LISTEN_FDS=f"'{count}'"))
        assert said == ["adit: error: socket activation: LISTEN_FDS is not a number up to 1024"], said
    said = run_to_the_end(bench, **start_with(bench, LISTEN_PID="own", LISTEN_FDS="1"))
    assert said == [f"adit: error: socket activation: {not_listening(3)}"], said
