"""successors: upgrades of a bench's gateway, and the processes that come of them."""
import contextlib
import ctypes
import os
import pathlib
import select
import signal

from harness import DEADLINE
from sockets import wait_for

PR_SET_CHILD_SUBREAPER = 36
TAKEN_OVER = r"^adit: upgrade: process (\d+) has taken over$"
FAILED = r"^adit: error: upgrade failed: the new process: (.*); this one goes on$"


def children(pid):
    try:
        return [int(one) for one in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def name_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def listening_inodes(pid):
    """Of the listening sockets of a process: inode → local address, as the kernel writes it."""
    listening = {}
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening[int(fields[9])] = fields[1]
    found = {}
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(link)
            inode = int(target[8:-1]) if target.startswith("socket:[") else None
            if inode in listening:
                found[inode] = listening[inode]
    return found


def listens(pid):
    """False also when it has ended."""
    try:
        return bool(listening_inodes(pid))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


class Family:
    """The gateway of a bench, and those that come after it."""

    def __init__(self, bench):
        self.bench = bench
        self.current = bench.gateway.process.pid
        self.known = [self.current]

    def wait_line(self, pattern, since=0):
        return self.bench.gateway.wait_line(pattern, since)

    def signal(self, number, pid=None):
        self.bench.transcript.note(f"process {pid or self.current}", f"is sent {signal.Signals(number).name}")
        os.kill(pid or self.current, number)

    def launcher(self, pid=None):
        (one,) = children(pid or self.current)
        return one

    def expect_upgrade(self, since):
        old = self.current
        self.current = int(self.wait_line(TAKEN_OVER, since)[1])
        self.known.append(self.current)
        # Its workers are told after the line: until then they accept, too.
        wait_for(lambda: not listens(old), f"process {old} listens on")
        return old

    def upgrade(self):
        """The process that was the gateway until now, which drains."""
        since = len(self.bench.gateway.lines)
        self.signal(signal.SIGUSR2)
        return self.expect_upgrade(since)

    def fail(self):
        """Why the upgrade failed."""
        since = len(self.bench.gateway.lines)
        self.signal(signal.SIGUSR2)
        return self.wait_line(FAILED, since)[1]

    def wait_end(self, pid):
        """Its exit status (negative: the signal)."""
        if pid == self.bench.gateway.process.pid:
            return self.bench.gateway.process.wait(DEADLINE)
        with contextlib.suppress(ProcessLookupError):
            watch = os.pidfd_open(pid)
            try:
                ended, _, _ = select.select([watch], [], [], DEADLINE)
                assert ended, f"process {pid} does not end"
            finally:
                os.close(watch)
        self.known.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def expect_end(self, pid):
        status = self.wait_end(pid)
        assert status == 0, f"process {pid} ended with status {status}"

    def stop(self):
        """Without the clients and origins the last one has nothing to drain."""
        for client in self.bench.clients:
            client.sock.close()
        if self.current != self.bench.gateway.process.pid:
            self.signal(signal.SIGTERM)
            self.expect_end(self.current)

    def kill(self):
        for pid in self.known:
            if pid != self.bench.gateway.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def upgrades(bench):
    """Successors are ours to wait for when those who have started them are gone. In the end the last
    of them must stop cleanly."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    family = Family(bench)
    try:
        yield family
        family.stop()
    finally:
        family.kill()
