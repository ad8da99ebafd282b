"""What a service manager is told (sd_notify(3)): when the gateway is ready, reloads, stops, and who it is after an upgrade."""
import contextlib
import os
import queue
import re
import signal
import socket
import threading

from harness import DEADLINE, request, response
from successors import upgrades
from test_new_process import begin
from visitors import answer_names, served_by


class Manager:
    """The socket, as systemd has it, and what comes over it: message by message, with the sender's number."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind(path)
        self.told = queue.Queue()
        # At once, as a service manager does: the kernel keeps ten.
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            data, ancillary, _, _ = self.sock.recvmsg(4096, 256)
            ((_, _, credentials),) = ancillary
            self.told.put((int.from_bytes(credentials[:4], "little"), data))

    def next(self):
        sender, data = self.told.get(timeout=DEADLINE)
        assert data.endswith(b"\n")
        return sender, dict(line.split("=", 1) for line in data.decode().splitlines())

    def expect(self, pid, **members):
        sender, said = self.next()
        assert sender == pid and said == members, (sender, said)

    def expect_nothing(self):
        # What was sent before this is read before it, too.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"END=1\n", self.sock.getsockname())
        self.expect(os.getpid(), END="1")


@contextlib.contextmanager
def managed(bench, path=None, watchdog_us=None, **config):
    """A gateway with a manager."""
    path = path or os.path.join(bench.directory.name, "notify")
    manager = Manager(path.replace("@", "\0"))
    watchdog = f"WATCHDOG_USEC={watchdog_us} WATCHDOG_PID=$$; export WATCHDOG_USEC WATCHDOG_PID; " if watchdog_us else ""
    bench.write_files(config=config)
    with contextlib.closing(manager.sock):
        bench.run(before=["/bin/sh", "-c", f'NOTIFY_SOCKET="{path}"; export NOTIFY_SOCKET; {watchdog}exec "$0" "$@"'])
        yield manager


def expect_reload(manager, pid, but=""):
    sender, said = manager.next()
    assert sender == pid and re.fullmatch(r"\d+", said.pop("MONOTONIC_USEC"))
    assert said == {"RELOADING": "1", "STATUS": "reloading"}, said
    manager.expect(pid, READY="1", STATUS=f"serving 1 routes{but}")


def test_a_life(bench):
    with managed(bench, workers=2) as manager:
        pid = bench.gateway.process.pid
        manager.expect(pid, READY="1", STATUS="serving 1 routes")
        bench.gateway.reload()
        expect_reload(manager, pid)
        bench.write("adit.json", "{")
        bench.gateway.reload()  # serving goes on
        expect_reload(manager, pid, "; the last reload was refused")
        bench.write_files(config={"workers": 2})
        bench.write("shop.json", "{")
        bench.gateway.reload()
        expect_reload(manager, pid, "; the last reload was taken over in part")
        bench.gateway.signal(signal.SIGTERM)
        manager.expect(pid, STOPPING="1", STATUS="draining")
        bench.gateway.expect_clean_end()
        manager.expect_nothing()


def test_abstract_name(bench):
    with managed(bench, path=f"@adit-test-{os.getpid()}") as manager:
        manager.expect(bench.gateway.process.pid, READY="1", STATUS="serving 1 routes")


def test_not_before_it_serves(bench):
    answer_names(bench.v1)
    with managed(bench) as manager:
        manager.next()
        assert served_by(bench) == "v1"


def test_upgrade(bench):
    """The old one says who it is now, in one message, and nothing more; a new one that fails says nothing."""
    with managed(bench, timeouts={"drain": "60s"}) as manager:
        manager.next()
        with upgrades(bench) as family:
            client, origin = begin(bench)
            old = family.upgrade()
            manager.expect(old, STATUS="starting a new process")
            manager.expect(old, MAINPID=str(family.current), READY="1", WATCHDOG="1", STATUS="serving, upgraded")
            origin.send(response())
            client.read_response()
            family.expect_end(old)
            family.wait_line("goes on alone")
            family.signal(signal.SIGHUP)
            expect_reload(manager, family.current)
            bench.write("adit.json", "{")
            family.fail()
            manager.expect(family.current, STATUS="starting a new process")
            manager.expect(family.current, STATUS="serving; an upgrade has failed")
            manager.expect_nothing()


def test_watchdog(bench):
    """It is told in time that the process lives, also the one of an upgrade."""
    with managed(bench, watchdog_us=200000) as manager:
        manager.next()
        with upgrades(bench) as family:
            for _ in range(3):
                manager.expect(family.current, WATCHDOG="1")
            old = family.upgrade()
            family.expect_end(old)
            told = {old: [], family.current: []}
            while len(told[family.current]) < 3:
                sender, said = manager.next()
                told[sender].append(said)
            assert told[family.current] == 3 * [{"WATCHDOG": "1"}], told
            assert told[old][-1]["MAINPID"] == str(family.current) and told[old][-1]["WATCHDOG"] == "1", told


def test_watchdog_of_another(bench):
    bench.write_files()
    path = os.path.join(bench.directory.name, "notify")
    manager = Manager(path)
    with contextlib.closing(manager.sock):
        bench.run(before=["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=2000", "WATCHDOG_PID=1"])
        manager.expect(bench.gateway.process.pid, READY="1", STATUS="serving 1 routes")
        bench.gateway.reload()
        expect_reload(manager, bench.gateway.process.pid)


def test_manager_that_is_gone(bench):
    """It is served all the same."""
    answer_names(bench.v1)
    for value, why in (("relative/path", "the service manager is told nothing: NOTIFY_SOCKET is 'relative/path'"),
                       ("", "the service manager is told nothing: NOTIFY_SOCKET is ''"),
                       ("@" + "x" * 200, "the service manager is told nothing: NOTIFY_SOCKET is '@xxx"),
                       ("/none/of/it", "cannot tell the service manager: No such file or directory")):
        bench.write_files()
        bench.run(before=["env", f"NOTIFY_SOCKET={value}"])
        bench.gateway.wait_line(f"warning: {re.escape(why)}")
        assert served_by(bench) == "v1"
        bench.gateway.signal(signal.SIGTERM)
        bench.gateway.expect_clean_end()


def test_watchdog_that_is_no_number(bench):
    with managed(bench, watchdog_us="x") as manager:
        manager.next()
        bench.gateway.wait_line("warning: watchdog: WATCHDOG_USEC is 'x', not a number from 2000")
