"""Out of something: descriptors, memory for a log line, standard streams. The gateway sheds load,
does not spin meanwhile, and recovers. (Failing allocations and connects: tests/unit.)
"""
import fcntl
import os
import re
import select
import signal
import subprocess
import time

from harness import request, response

CANARY = request("GET / HTTP/1.1", "X-Canary: always")


def expect_calm(gateway, seconds=0.5):
    """It waits, and does so without using the processor."""
    before = gateway.cpu_seconds()
    time.sleep(seconds)
    used = gateway.cpu_seconds() - before
    assert used < seconds / 3, f"{used} s of processor time in {seconds} s"


# ---- descriptors


def test_no_descriptor_for_a_client(bench):
    """Those who come wait in the kernel's queue until there is one again."""
    bench.start()
    bench.v1.serve(lambda _: response())
    client = bench.client()
    client.send(request())
    assert client.read_response().status == 200
    gateway = bench.gateway
    gateway.limit_descriptors(len(gateway.descriptors()))
    late = [bench.client() for _ in range(10)]
    for each in late:
        each.send(request())
    gateway.wait_line("accepting is paused: Too many open files")
    expect_calm(gateway)
    client.send(request())  # who is there already is served
    assert client.read_response().status == 200
    gateway.limit_descriptors(1000)
    for each in late:
        assert each.read_response().status == 200
    assert bench.counters()["accept_pauses"] >= 1


def test_idle_client_gives_its_descriptor(bench):
    bench.start()
    idle = [bench.client(), bench.client()]
    origin = bench.exchange(idle[0], bench.v1)[0]
    bench.gateway.limit_descriptors(len(bench.gateway.descriptors()))
    late = bench.client()
    late.send(request())
    gone = select.select([client.sock for client in idle], [], [], 10)[0]
    assert len(gone) == 1 and gone[0].recv(1) == b""
    assert origin.read_request()
    origin.send(response())
    assert late.read_response().status == 200
    assert bench.counters()["idle_shed"] == 1


def test_no_descriptor_for_an_origin(bench):
    bench.start(rules={"match": {"hosts": ["shop.example.com"]}})
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "Host: other"))  # so that it has been accepted
    assert client.read_response().status == 404
    gateway = bench.gateway
    gateway.limit_descriptors(len(gateway.descriptors()))
    for _ in range(3):
        client.send(request())
        answer = client.read_response()
        assert answer.status == 503 and b"out of connections" in answer.body
    bench.v1.expect_untouched()
    gateway.limit_descriptors(1000)
    bench.exchange(client, bench.v1)
    assert bench.counters()["shortages"] == 3


def test_idle_origin_gives_its_descriptor(bench):
    """An idle connection to one endpoint is worth less than a request to another."""
    bench.start()
    client = bench.client()
    kept = bench.exchange(client, bench.v1)[0]
    gateway = bench.gateway
    gateway.limit_descriptors(len(gateway.descriptors()))
    bench.exchange(client, bench.canary, CANARY)
    kept.expect_gone()
    counted = bench.counters()
    assert "shortages" not in counted and "failovers" not in counted


def test_flood_on_few_descriptors(bench):
    """Ten times as many connections as there are places for come and go; in the end all is well."""
    bench.start(descriptors=100, config={"limits": {"connections_per_address": 1000}})
    bench.v1.serve(lambda _: response())
    before = bench.gateway.cpu_seconds()
    for _ in range(3):
        clients = [bench.client() for _ in range(180)]
        for client in clients:
            client.send(request("GET / HTTP/1.1", "Connection: close"))
        for client in clients:
            assert client.read_response().status == 200
            client.expect_end()
            client.close()
    assert bench.gateway.cpu_seconds() - before < 10
    assert bench.counters()["responses"] == 540


# ---- the log


def listening_port(process):
    """Of a gateway that cannot say it: the one listening socket among its descriptors."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        links = set()
        for name in os.listdir(f"/proc/{process.pid}/fd"):
            try:
                links.add(os.readlink(f"/proc/{process.pid}/fd/{name}"))
            except FileNotFoundError:
                pass
        with open("/proc/net/tcp", encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in links:
                    return int(fields[1].split(":")[1], 16)
        time.sleep(0.01)
    raise AssertionError(f"nothing listens; status {process.poll()}")


def run_with(bench, **streams):
    """A gateway whose standard streams are of the test's making."""
    bench.write_files()
    process = subprocess.Popen([bench.binary, "run", "-c", "adit.json"], cwd=bench.directory.name,
                               **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams})
    bench.port = listening_port(process)
    return process


def end(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def serves(bench):
    """Some requests that are forwarded, and some that are worth a line in the log."""
    origin = bench.exchange(bench.client(), bench.v1)[0]
    for _ in range(20):
        assert bench.refused("nonsense\r\n\r\n").status == 400
    bench.exchange(bench.client(), origin)
    origin.close()


def test_full_disk(bench):
    with open("/dev/full", "wb") as full:
        process = run_with(bench, stdout=full, stderr=full)
    try:
        serves(bench)
        end(process)
    finally:
        process.kill()


def test_log_that_nobody_reads(bench):
    """A full pipe holds up nobody; when there is room again the lines that were lost are counted."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 16384)
    process = run_with(bench, stderr=writer)
    try:
        os.read(reader, 1 << 16)  # the ready line
        while select.select([], [writer], [], 0)[1]:
            os.write(writer, b"\n" * 4096)  # all or nothing
        serves(bench)
        os.read(reader, 1 << 16)
        end(process)
        said = os.read(reader, 1 << 16).decode()
        assert re.search(r"^adit: warning: \d+ lines of this log were lost$", said, re.M), said
        assert "adit: stopped:" in said, said
    finally:
        process.kill()
        os.close(reader)
        os.close(writer)


def test_closed_streams(bench):
    """No descriptor of its own gets the number of one, and with it the log."""
    def close_all():
        for number in (0, 1, 2):
            os.close(number)

    process = run_with(bench, stderr=None, preexec_fn=close_all)
    try:
        for number in (0, 1, 2):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"
        serves(bench)
        end(process)
    finally:
        process.kill()


def test_reader_of_the_log_that_left(bench):
    reader, writer = os.pipe()
    process = run_with(bench, stderr=writer)
    os.close(writer)
    os.close(reader)
    try:
        serves(bench)
        end(process)
    finally:
        process.kill()
