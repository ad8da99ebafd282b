"""verdict: what became of a case, as one line.

    400 close                           the proxy's own answer; nothing reached the origin
    GET /a -> 200                       one request reached it, and the client has its answer
    POST /a, length 5 "hello" -> 200    with the body, as it was framed on the way to the origin
    POST /a cut -> 400 close            a request began to reach it and was broken off
    GET /a + GET /b -> 200 200          two requests
    GET / {X-A: 1; / X-B: 2} -> 200     with the fields and trailers that the case wants to be shown

Of a case about an origin the request is left out, and what became of the origin's connection is said:

    200 "hello"; reused                 the next request went the same way
    502; dropped                        it did not

Of a response the body is shown where it is not "ok" and the status is below 400; `cut`: it did not
come to its end. Last stands what became of the client's connection: nothing when the probe was
answered on it, `close`, or `hang` when nothing more came within DEADLINE. `faults` stands behind what
is not HTTP/1.1, a request or a response. If another client gets anything but its own answer, the
line ends with `!! another client got …`.
"""
import itertools
import re

from client import final, is_answer
from origin import OWN_TARGETS

SHOWN_BYTES = 24


def comparable(verdict):
    """What must be the same for two proxies to agree: names of fields have no case, and a body that was
    chunked may go on with a length."""
    return re.sub(r", (chunked|length \d+)", "", verdict.lower())


def readable(data):
    return "".join(chr(c) if 32 <= c < 127 and c not in b'\\"' else f"\\x{c:02x}" for c in data)


def quoted(body):
    return f'"{readable(body)}"' if len(body) <= SHOWN_BYTES else f"{len(body)} bytes"


def shortened(target):
    text = readable(target)
    return text if len(text) <= 48 else f"{text[:20]}...({len(target)} bytes)"


def timeless(fields):
    """A Date that is the proxy's own is not the same in the next run."""
    for name, value in fields:
        own = name.lower() == b"date" and not value.endswith(b"1970 00:00:00 GMT")
        yield name, b"its own" if own else value


def shown_fields(message, names):
    """{Name: value; …}" of the fields that are there, trailers behind a slash; "" when the case asks for
    none."""
    if not names:
        return ""

    def chosen(fields):
        wanted = [name.lower() for name in names]
        return [f"{readable(name)}: {shortened(value)}".strip() for name, value in timeless(fields)
                if readable(name).lower() in wanted]

    trailers = chosen(message.trailers)
    return " {" + "; ".join(chosen(message.fields) + [f"/ {each}" for each in trailers]) + "}"


def joined(texts, between):
    """Runs of the same are counted: "3 x 200"."""
    runs = [(text, len(list(run))) for text, run in itertools.groupby(texts)]
    return between.join(text if n == 1 else f"{n} x {text}" for text, n in runs)


def of_request(request, show):
    text = f"{shortened(request.method)} {shortened(request.target)}"
    text += shown_fields(request, show)
    if not request.done:
        text += " cut"
    elif request.framing != "none":
        length = f" {request.length}" if request.framing == "length" else ""
        text += f", {request.framing}{length}" + (f" {quoted(request.body)}" if request.body else "")
    return text + (" faults" if request.faults else "")


def of_response(response, show):
    text = str(response.status) if response.status else quoted(response.raw)
    text += shown_fields(response, show)
    if response.status < 400 and response.body not in (b"", b"ok"):
        text += f" {quoted(response.body)}"
    if not response.done:
        text += " cut"
    return text + (" faults" if response.faults else "")


class Outcome:
    """All that was seen of one case with one proxy."""

    def __init__(self, case, client, other, connections):
        self.case = case
        self.client = client
        self.other = other
        self.connections = connections
        self.responses = [each for each in client.responses() if not is_answer(each, b"probe")]
        self.in_sync = len(self.responses) < len(client.responses())
        self.requests = [request for connection in connections for request in connection.requests
                         if request.target not in OWN_TARGETS]

    def other_is_right(self):
        got = final(self.other.responses())
        return len(got) == 1 and is_answer(got[0], b"other")

    def client_end(self):
        return [] if self.in_sync else ["hang" if self.client.end == "hang" else "close"]

    def origin_end(self):
        scripted = [each for each in self.connections if each.is_scripted]
        if not scripted:
            return "; not asked"
        again = any(request.target in OWN_TARGETS for request in scripted[0].requests)
        return "; reused" if again else "; dropped"

    def verdict(self):
        show = self.case.show
        about_origin = self.case.is_about_origin
        got = [of_response(each, show if about_origin else []) for each in self.responses]
        text = joined(got + self.client_end(), " ")
        if about_origin:
            times = len(self.requests)
            text = (f"asked {times} times: " if times > 1 else "") + text + self.origin_end()
        elif self.requests:
            text = joined([of_request(each, show) for each in self.requests], " + ") + " -> " + text
        if not self.other_is_right():
            text += f" !! another client got {quoted(self.other.received)}"
        return text
