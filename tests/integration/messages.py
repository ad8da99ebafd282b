"""messages: HTTP/1.1 as bytes, written by hand and read strictly.

What the gateway sends must have exactly one reading: `parse_head` and the body readers accept
canonical HTTP/1.1 and fail on everything else.
"""
import re

FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)", re.S)
REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.1")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
CHUNK_SIZE = re.compile(rb"[1-9a-f][0-9a-f]*|0")


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def message(first, *lines, body=b""):
    """A message from its lines; nothing is added."""
    head = b"\r\n".join(to_bytes(line) for line in (first, *lines))
    return head + b"\r\n\r\n" + to_bytes(body)


def request(line="GET / HTTP/1.1", *lines, body=None):
    """A request with a Host, and with a Content-Length when there is a body."""
    lines = list(lines)
    if not any(to_bytes(each).lower().startswith(b"host:") for each in lines):
        lines.insert(0, "Host: shop.example.com")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return message(line, *lines, body=body or b"")


def response(status="200 OK", *lines, body=b"ok"):
    """A response with a Content-Length."""
    return message(f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", body=body)


def chunked(*chunks, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + last


class Message:
    """A head, and the body once it was read."""

    def __init__(self, head):
        self.head = head
        lines = head[:-4].split(b"\r\n")
        self.first = lines[0]
        self.fields = []
        for line in lines[1:]:
            match = FIELD_LINE.fullmatch(line)
            assert match, f"malformed field line {line!r}"
            self.fields.append(match.groups())
        self.body = b""
        self.chunks = None  # sizes, when the body was chunked
        self.trailers = []  # (name, value), when it was
        match = REQUEST_LINE.fullmatch(self.first)
        self.method, self.target = match.groups() if match else (None, None)
        match = STATUS_LINE.fullmatch(self.first)
        self.status, self.reason = (int(match[1]), match[2]) if match else (None, None)
        assert self.method or self.status, f"malformed start line {self.first!r}"

    def all(self, name):
        name = to_bytes(name).lower()
        return [value for each, value in self.fields if each.lower() == name]

    def has(self, name):
        return bool(self.all(name))

    def one(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{len(values)} fields {name} in {self.head!r}"
        return values[0]

    def names(self):
        return [name for name, _ in self.fields]

    def framing(self, answers="GET"):
        """What follows the head: None, "chunked", "close" or a number of bytes."""
        lengths, codings = self.all("Content-Length"), self.all("Transfer-Encoding")
        assert len(lengths) + len(codings) <= 1, f"ambiguous framing in {self.head!r}"
        if lengths:
            assert re.fullmatch(rb"0|[1-9][0-9]*", lengths[0]), f"length {lengths[0]!r}"
        if codings:
            assert codings == [b"chunked"], f"transfer coding {codings!r}"
        if self.status:
            if self.status < 200 or self.status == 204:
                assert not lengths and not codings, f"framing in {self.head!r}"
            if self.status < 200 or self.status in (204, 304) or answers == "HEAD":
                assert not codings, f"coding without a body in {self.head!r}"
                return None
        if codings:
            return "chunked"
        if lengths:
            return int(lengths[0])
        return "close" if self.status else None
