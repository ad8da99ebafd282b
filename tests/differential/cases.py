"""cases: the corpus, as it is written in corpus/*.cases.

A file is about one thing; those named request-… vary what the client sends, those named origin-…
what the origin answers. Blank lines and lines that begin with // are skipped; the others are

    # NAME              begins a case; no two have the same name
    rfc SECTION, …      where the RFCs speak of it: "9112 6.3", "9110 7.6.1"
    why KEY             the paragraph of reasons.md that says why the proxies differ here; only
                        where they do
    show FIELD, …       fields whose lines the verdict shows: of requests as the origin gets them, in
                        a file origin-… of responses as the client gets them
    > TEXT              the client sends this line and CRLF. None: GET / with a Host
    >| wait             before it goes on it waits for the head of another response, interim ones too
    >| reached          before it goes on it waits until a request has begun to reach the origin
    >| end              it ends its side
    < TEXT              the origin answers this line and CRLF. None: 200 and "ok"
    <| accept           (first) it sends what follows at once, before there is a request
    <| head             (first) it answers the head, without waiting for a body
    <| body             what follows it sends when the body has come
    <| late             what follows it sends when the client has its answer
    <| end, <| reset    it ends its side, or resets the connection
    <| silence          it sends nothing (more)
    = VERDICT           what becomes of it with Adit: verdict.py says how it is written

In TEXT, \\r \\n \\t \\0 \\xHH \\\\ are what they are elsewhere, \\(N*TEXT) is TEXT N times, and a \\
at the end means that no CRLF follows.
"""
import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus"
PLAIN_GET = b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
ESCAPE = re.compile(r"\\(?:\((\d+)\*|x([0-9a-fA-F]{2})|([rnt0\\]))")
PLAIN_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
CLIENT_WORDS = {"wait", "reached", "end"}
ORIGIN_WORDS = {"accept", "head", "body", "late", "end", "reset", "silence"}


@dataclasses.dataclass
class Case:
    name: str
    file: str
    rfc: list = dataclasses.field(default_factory=list)
    why: str = ""
    show: list = dataclasses.field(default_factory=list)
    client: list = dataclasses.field(default_factory=list)  # bytes, and words of CLIENT_WORDS
    origin: list = dataclasses.field(default_factory=list)  # bytes, and words of ORIGIN_WORDS
    expected: str = ""

    @property
    def is_about_origin(self):
        return self.file.startswith("origin-")


class Mistake(Exception):
    """In a file of the corpus."""


def unescape(text, at=0, closing=""):
    """The bytes that TEXT stands for from `at` on, up to `closing`, and where they end."""
    done = b""
    while at < len(text) and text[at] != closing:
        if text[at] != "\\":
            done += text[at].encode("latin-1")
            at += 1
            continue
        match = ESCAPE.match(text, at)
        if not match:
            raise Mistake(f"what is {text[at:at + 4]}?")
        count, octet, plain = match.groups()
        at = match.end()
        if count:
            repeated, at = unescape(text, at, ")")
            done += int(count) * repeated
            at += 1
        else:
            done += bytes([int(octet, 16)]) if octet else PLAIN_ESCAPES[plain]
    return done, at


def line_bytes(text):
    if re.search(r"(?<!\\)(?:\\\\)*\\$", text):
        return unescape(text[:-1])[0]
    return unescape(text)[0] + b"\r\n"


def add_step(steps, step):
    """Bytes without a word between them are sent at once."""
    if steps and isinstance(step, bytes) and isinstance(steps[-1], bytes):
        steps[-1] += step
    else:
        steps.append(step)


def add_line(case, line):
    mark, _, rest = line.partition(" ")
    if mark in (">", "<"):
        add_step(case.client if mark == ">" else case.origin, line_bytes(rest))
    elif mark == ">|" and rest in CLIENT_WORDS:
        case.client.append(rest)
    elif mark == "<|" and rest in ORIGIN_WORDS:
        case.origin.append(rest)
    elif mark in ("rfc", "show") and rest:
        setattr(case, mark, [each.strip() for each in rest.split(",")])
    elif mark == "why":
        case.why = rest
    elif mark == "=" and rest and not case.expected:
        case.expected = rest
    else:
        raise Mistake("what is this line?")


def finish(case):
    if not case.rfc:
        raise Mistake(f"'{case.name}' names no section of an RFC")
    case.client = case.client or [PLAIN_GET]


def read_file(path):
    cases = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        try:
            if line.startswith("# "):
                if cases:
                    finish(cases[-1])
                cases.append(Case(line[2:], path.stem))
            elif line.strip() and not line.startswith("//"):
                add_line(cases[-1], line)
        except (Mistake, IndexError) as mistake:
            raise Mistake(f"{path.name}:{number}: {mistake}") from None
    finish(cases[-1])
    return cases


def read_all():
    """Every case, in the order of files and lines."""
    cases = [case for path in sorted(FOLDER.glob("*.cases")) for case in read_file(path)]
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise Mistake(f"there twice: {sorted(twice)}")
    return cases
