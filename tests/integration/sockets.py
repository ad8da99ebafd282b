"""sockets: what the kernel knows of connections, which nobody is told of."""
import time

from peers import DEADLINE

ESTABLISHED, SYN_SENT, CLOSE_WAIT = 1, 2, 8


def tcp_sockets():
    """Local port, remote port and state of each socket of IPv4."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        next(file)
        for line in file:
            _, local, remote, state, *_ = line.split()
            yield int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16), int(state, 16)


def wait_for(holds, what):
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, what
