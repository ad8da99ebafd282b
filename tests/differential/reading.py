"""reading: bytes as the messages in them, by RFC 9112, independently of Adit.

It reads on where a lenient peer would, and notes as a *fault* whatever a strict one refuses. So the
same reading says what a client sent (up to the first fault), what an origin got and what a client
got (where Adit is concerned there must be no fault).
"""
import dataclasses
import ipaddress
import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
FIELD = re.compile(rb"(%b):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*" % TOKEN, re.S)
LENIENT_FIELD = re.compile(rb"\s*([^:\s]+)\s*:\s*(.*?)\s*", re.S)
REQUEST_LINE = re.compile(rb"(%b) ([\x21\x22\x24-\x7e]+) HTTP/1\.([0-9])" % TOKEN)
STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?", re.S)
ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.S | re.I)
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::([0-9]*))?")
CONTROL = re.compile(rb"(?<!\r)\n|\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
HEAD_END = re.compile(rb"\r?\n\r?\n")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
LENIENT_CHUNK_LINE = re.compile(rb"\s*(?:0x)?([0-9A-Fa-f]+)")
LENGTH_MAX = 2**63 - 1


@dataclasses.dataclass
class Message:
    first: bytes = b""
    minor: int = 1
    method: bytes = b""  # of a request, with target
    target: bytes = b""
    status: int = 0  # of a response
    fields: list = dataclasses.field(default_factory=list)
    framing: str = "none"  # none, length, chunked, close
    length: int = 0
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    head_done: bool = False
    done: bool = False
    faults: list = dataclasses.field(default_factory=list)
    raw: bytes = b""

    def all(self, name):
        return [value for each, value in self.fields if each.lower() == name.lower()]

    @property
    def authority(self):
        absolute = ABSOLUTE.fullmatch(self.target)
        return absolute[1] if absolute else b"".join(self.all(b"Host"))

    @property
    def origin_target(self):
        """The target as a gateway sends it on (RFC 9112 3.2.1, 3.2.4)."""
        absolute = ABSOLUTE.fullmatch(self.target)
        if not absolute:
            return self.target
        if not absolute[2]:
            return b"*" if self.method == b"OPTIONS" else b"/"
        return absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]


def is_authority(text):
    match = HOST.fullmatch(text)
    if not match or match[1] == b"." or int(match[2] or 0) > 65535:
        return False
    try:
        return not match[1].startswith(b"[") or bool(ipaddress.IPv6Address(match[1][1:-1].decode()))
    except ValueError:
        return False


def is_target(method, target):
    if method == b"CONNECT":
        return is_authority(target) and bool(re.search(rb":[0-9]+$", target))
    absolute = ABSOLUTE.fullmatch(target)
    if absolute:
        return is_authority(absolute[1])
    return target.startswith(b"/") or (target == b"*" and method == b"OPTIONS")


# ---- heads


def read_fields(lines, message, into):
    for line in lines:
        match = FIELD.fullmatch(line)
        if not match:
            message.faults.append(f"field line {line[:40]!r}")
            match = LENIENT_FIELD.fullmatch(line)
        if match:
            into.append(match.groups())


def read_request_line(message):
    match = REQUEST_LINE.fullmatch(message.first)
    if not match or not is_target(match[1], match[2]):
        message.faults.append(f"request line {message.first[:40]!r}")
    words = match.groups() if match else (*message.first.split(), b"", b"")[:2]
    message.method, message.target = words[0], words[1]
    message.minor = 0 if message.first.endswith(b"HTTP/1.0") else 1


def read_status_line(message):
    match = STATUS_LINE.fullmatch(message.first)
    if not match:
        message.faults.append(f"status line {message.first[:40]!r}")
        found = re.search(rb" ([0-9]+)", message.first)
        message.status = int(found[1]) if found else 0
    else:
        message.status = int(match[2])
    message.minor = 0 if message.first.startswith(b"HTTP/1.0") else 1


def check_host(message):
    """One, valid; an empty one is what a message without an authority has (RFC 9112 3.2)."""
    hosts = message.all(b"Host")
    if len(hosts) > 1 or (message.minor > 0 and not hosts):
        message.faults.append(f"{len(hosts)} Host fields")
    elif hosts and hosts[0] and not is_authority(hosts[0]):
        message.faults.append(f"Host {hosts[0][:40]!r}")


def read_framing(message):
    lengths, codings = message.all(b"Content-Length"), message.all(b"Transfer-Encoding")
    if len(lengths) + len(codings) > 1:
        message.faults.append("more than one framing")
    if codings and (codings[0].lower() != b"chunked" or message.minor == 0):
        message.faults.append(f"transfer coding {codings[0][:40]!r}")
    if lengths and (not re.fullmatch(rb"[0-9]+", lengths[0]) or int(lengths[0]) > LENGTH_MAX):
        message.faults.append(f"length {lengths[0][:40]!r}")
    if any(b"chunked" in coding.lower() for coding in codings):
        message.framing = "chunked"
    elif lengths and re.fullmatch(rb"[0-9]+", lengths[0]):
        message.framing, message.length = "length", int(lengths[0])


def read_response_framing(message, method):
    read_framing(message)
    framed = message.all(b"Content-Length") or message.all(b"Transfer-Encoding")
    if (message.status < 200 or message.status == 204) and framed:
        message.faults.append(f"framing in a {message.status}")
    if message.status == 101:
        message.framing = "close"  # what follows is another protocol
    elif message.status < 200 or message.status in (204, 304) or method == b"HEAD":
        message.framing = "none"
    elif message.framing == "none":
        message.framing = "close"


def read_head(data, at, message):
    """Where the head ends; None: it does not yet."""
    end = HEAD_END.search(data, at)
    head = data[at : end.start() if end else len(data)]
    # A CR at the end may be followed by its LF.
    control = CONTROL.search(head if end else head.removesuffix(b"\r"))
    if control:
        message.faults.append(f"control {control[0]!r} in the head")
    if end and end[0] != b"\r\n\r\n":
        message.faults.append("head ends with a bare line feed")
    lines = re.split(rb"\r?\n", head)
    message.first = lines[0]
    message.raw = data[at : end.end() if end else len(data)]
    if not end:
        return None
    read_fields(lines[1:], message, message.fields)
    message.head_done = True
    return end.end()


# ---- bodies


def read_chunked(data, at, message):
    """Where the body ends; None: it does not, or it cannot be read on."""
    while True:
        line_end = data.find(b"\n", at)
        if line_end < 0:
            return None
        line = data[at : line_end + 1]
        match = CHUNK_LINE.fullmatch(line[:-2])
        if not match or not line.endswith(b"\r\n") or int(match[1], 16) > LENGTH_MAX:
            message.faults.append(f"chunk line {line[:40]!r}")
            match = LENIENT_CHUNK_LINE.match(line)
            if not match:
                return None
        size = int(match[1], 16)
        at = line_end + 1
        if size == 0:
            return read_trailers(data, at, message)
        message.body += data[at : at + size]
        if len(data) < at + size + 2:
            return None
        if data[at + size : at + size + 2] != b"\r\n":
            message.faults.append("no CRLF after a chunk")
            return None
        at += size + 2


def read_trailers(data, at, message):
    if data[at : at + 2] == b"\r\n":
        return at + 2
    end = HEAD_END.search(data, at)
    if not end:
        return None
    section = data[at : end.start()]
    if end[0] != b"\r\n\r\n" or CONTROL.search(section):
        message.faults.append("control in the trailers")
    read_fields(re.split(rb"\r?\n", section), message, message.trailers)
    return end.end()


def read_body(data, at, message, ended):
    if message.framing == "none":
        message.done = True
        return at
    if message.framing == "chunked":
        end = read_chunked(data, at, message)
        message.done = end is not None
        return end
    if message.framing == "close":
        message.body = data[at:]
        message.done = ended
        return len(data)
    message.body = data[at : at + message.length]
    message.done = len(message.body) == message.length
    return at + message.length if message.done else None


# ---- messages


def read_requests(data, leniently=False):
    """All requests in `data`, of which the last may be incomplete. Behind a fault it is not said what
    follows: only a lenient reader goes on."""
    found, at = [], 0
    while at < len(data):
        if data[at : at + 2] == b"\r\n":  # one empty line may come before a request (RFC 9112 2.2)
            at += 2
            if at == len(data):
                break
        message = Message()
        found.append(message)
        at = read_head(data, at, message)
        read_request_line(message)
        if at is None:
            break
        check_host(message)
        read_framing(message)
        at = read_body(data, at, message, False)
        if at is None or (message.faults and not leniently):
            break
    return found


def read_responses(data, methods, ended):
    """All responses in `data` to requests of these methods; `ended`: no more will come, cleanly."""
    found, at, finals = [], 0, 0
    while at is not None and at < len(data):
        message = Message()
        found.append(message)
        at = read_head(data, at, message)
        read_status_line(message)
        if at is None:
            break
        read_response_framing(message, methods[finals] if finals < len(methods) else b"GET")
        finals += message.status >= 200 or message.status == 101
        at = read_body(data, at, message, ended)
    return found
