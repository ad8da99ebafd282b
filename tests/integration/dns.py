"""dns: a small DNS server, whose answers a test changes, and a gateway that asks it.

It answers A and AAAA over UDP, and over TCP what is too long for that. The gateway is started with
own_dns (tests/support), which has the C library ask here: all else is as it would be.
"""
import contextlib
import ipaddress
import os
import pathlib
import socket
import struct
import threading

from peers import DEADLINE

A, AAAA, IN = 1, 28, 1
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
SILENCE = "silence"  # instead of a code
UDP_MAX = 512
TRIES = 20  # to have one port in several places
RESPONSE, RECURSION, TRUNCATED = 0x8180, 0x0100, 0x0200


def read_question(query):
    """id, name, type, and the question as it stands."""
    number, _, questions = struct.unpack(">HHH", query[:6])
    assert questions == 1, query
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, kind_class = struct.unpack(">HH", query[at + 1 : at + 5])
    assert kind_class == IN, query
    return number, ".".join(labels).lower(), kind, query[12 : at + 5]


def record(kind, address):
    data = ipaddress.ip_address(address).packed
    return struct.pack(">HHHIH", 0xC00C, kind, IN, 0, len(data)) + data  # the name of the question


def sockets_at_one_port():
    """For TCP and UDP. The kernel chooses the one, and then somebody may have the other."""
    for _ in range(TRIES):
        tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            udp.bind(tcp.getsockname())
            return tcp, udp
        tcp.close()
        udp.close()
    raise AssertionError("no port is free for TCP and UDP")


class Dns:
    def __init__(self):
        self.lock = threading.Condition()
        self.answers = {}  # (name, type) → a code, or addresses
        self.asked = {}    # name → how often for its A records
        self.over_tcp = 0
        self.tcp, self.udp = sockets_at_one_port()
        self.port = self.tcp.getsockname()[1]
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    # ---- answers

    def set(self, name, *addresses):
        self.set_each(name, [each for each in addresses if ":" not in each], [each for each in addresses if ":" in each])

    def fail(self, name, code):
        self.set_each(name, code, code)

    def set_each(self, name, v4, v6):
        """Each a list of addresses, or a code."""
        with self.lock:
            self.answers[name, A], self.answers[name, AAAA] = v4, v6

    def wait_taken(self, name):
        """Returns when the gateway has taken the present answer up: it has been asked for, and then the next
        one, which nobody does before."""
        self.wait_asked(name, 2)

    def wait_asked(self, name, times):
        with self.lock:
            until = self.asked.get(name, 0) + times
            heard = self.lock.wait_for(lambda: self.asked.get(name, 0) >= until, DEADLINE)
            assert heard, f"{name} is not looked up again"

    # ---- serving

    def answer(self, query, most):
        """None: silence."""
        number, name, kind, question = read_question(query)
        with self.lock:
            found = self.answers.get((name, kind), NXDOMAIN)
            if kind == A:
                self.asked[name] = self.asked.get(name, 0) + 1
                self.lock.notify_all()
        if found == SILENCE:
            return None
        code, addresses = (found, []) if isinstance(found, int) else (NOERROR, found)
        records = b"".join(record(kind, each) for each in addresses)
        if 12 + len(question) + len(records) > most:
            return struct.pack(">HHHHHH", number, RESPONSE | TRUNCATED, 1, 0, 0, 0) + question
        return struct.pack(">HHHHHH", number, RESPONSE | code, 1, len(addresses), 0, 0) + question + records

    def serve_udp(self):
        while True:
            try:
                query, client = self.udp.recvfrom(UDP_MAX)
            except OSError:
                return
            if not query:
                self.udp.close()
                return
            answer = self.answer(query, UDP_MAX)
            if answer:
                self.udp.sendto(answer, client)

    def serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_connection, args=(sock,), daemon=True).start()

    def serve_connection(self, sock):
        sock.settimeout(DEADLINE)
        with sock, sock.makefile("rb") as file:
            while len(size := file.read(2)) == 2:
                answer = self.answer(file.read(*struct.unpack(">H", size)), 1 << 16)
                self.over_tcp += 1
                sock.sendall(struct.pack(">H", len(answer)) + answer)

    def close(self):
        self.udp.sendto(b"", ("127.0.0.1", self.port))
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()

    # ---- the gateway

    def before(self, binary):
        """The command before the gateway's, that has it ask here."""
        module = pathlib.Path(binary).parents[1] / "tests/integration/own_dns.so"
        assert module.exists(), f"{module} is not built"
        sanitizers = os.environ.get("ASAN_OPTIONS", "").split(":")
        return ["env", f"LD_PRELOAD={module}", f"ADIT_TEST_DNS_PORT={self.port}",
                "ASAN_OPTIONS=" + ":".join(filter(None, [*sanitizers, "verify_asan_link_order=0"]))]
