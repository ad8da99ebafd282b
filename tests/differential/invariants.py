"""invariants: what must hold of every case, whatever its verdict is.

They are the reason why a desync cannot hide behind a verdict that somebody wrote down wrongly: client
and origin must have the same idea of where each message ends and what it says, by a reading of the
bytes on both sides that shares no code with Adit.
"""
from client import final, is_answer
from reading import read_requests, read_responses

# What a gateway removes, sets, or writes anew.
MANAGED = {
    b"connection", b"content-length", b"expect", b"forwarded", b"host", b"http2-settings", b"keep-alive",
    b"max-forwards", b"proxy-connection", b"te", b"traceparent", b"tracestate", b"trailer", b"transfer-encoding", b"upgrade", b"via",
    b"x-adit-rule", b"x-adit-variant", b"x-canary-token", b"x-forwarded-for", b"x-forwarded-host",
    b"x-forwarded-proto", b"x-real-ip", b"x-request-id", b"date",
}


def options(message):
    return {option.strip().lower() for value in message.all(b"Connection") for option in value.split(b",")}


def passed_on(message, nominated):
    """The fields that go from end to end. `_` stands for `-` in names that are ours."""
    return [(name, value) for name, value in message.fields
            if name.lower().replace(b"_", b"-") not in MANAGED and name.lower() not in nominated]


def differs(sent, got):
    """How a request that an origin got is not the one that a client sent; None when it is."""
    if got.method != sent.method or got.target != sent.origin_target:
        return f"{got.first!r} of {sent.first!r}"
    if got.all(b"Host") != [sent.authority]:
        return f"Host {got.all(b'Host')!r} instead of {sent.authority!r}"
    if passed_on(sent, options(sent)) != passed_on(got, options(sent)):
        return f"fields {passed_on(got, options(sent))!r} of {passed_on(sent, options(sent))!r}"
    if not sent.body.startswith(got.body) or (got.done and got.body != sent.body):
        return f"body {got.body[:60]!r} of {sent.body[:60]!r}"
    if not set(got.trailers) <= set(sent.trailers):
        return f"trailers {got.trailers!r} of {sent.trailers!r}"
    return None


def requests_of(outcome):
    """What the origin got of the client: the case, then the probe."""
    probes = [request for connection in outcome.connections for request in connection.requests
              if request.target == b"/probe"]
    return [request for request in outcome.requests + probes if request.head_done]


def check_grammar(outcome):
    """What reaches the origin is requests, by the letter, and nothing else."""
    for connection in outcome.connections:
        if connection.received and not connection.requests:
            yield f"no request reaches the origin, but {connection.received[:60]!r}"
        for request in connection.requests:
            if request.faults:
                yield f"a request with {request.faults[0]} reaches the origin"


def check_requests(outcome):
    """The origin gets requests that the client sent, each once, in order, whole. Some it does not get:
    they were answered on the way."""
    sent = read_requests(outcome.client.sent)
    for request in requests_of(outcome):
        why = request.first
        while sent and differs(sent[0], request):
            why = differs(sent.pop(0), request)
        if not sent:
            yield f"the origin gets what no client sent: {why}"
            return
        message = sent.pop(0)
        if request.done and (message.faults or not message.done):
            yield f"a request with {message.faults or 'no end'} reaches the origin whole"


def is_own(response):
    """An answer of Adit's own: an error, or what Max-Forwards asks of it. To HEAD it has no body."""
    if response.all(b"Cache-Control") != [b"no-store"]:
        return False
    if response.all(b"Content-Type") == [b"message/http"]:
        return True
    return response.body.startswith(b"adit: ") or (not response.body and response.status >= 400)


def is_sound(response):
    """Its end is where a strict reader sees it. Of a 204 it is the head's, whatever the head says."""
    return response.done and all(fault == "framing in a 204" for fault in response.faults)


def check_responses(outcome):
    """The client gets answers of ours, or what the origin sent: whole, or seen to be cut."""
    answers = [read_responses(sent, [request.method], True)
               for connection in outcome.connections
               for request, sent in zip(connection.requests, connection.answers)]
    sent = [each for answer in answers for each in final(answer)[:1]]
    for response in outcome.client.responses():
        if response.faults:
            yield f"the client gets {response.faults[0]}"
    for response in final(outcome.client.responses()):
        if not response.head_done or is_own(response):
            continue
        while sent and (sent[0].status != response.status or not sent[0].body.startswith(response.body)):
            sent.pop(0)
        if not sent:
            yield f"the client gets what no origin sent: {response.raw[:60]!r}"
            return
        message = sent.pop(0)
        if passed_on(response, options(message)) != passed_on(message, options(message)):
            yield f"the client gets the fields {response.fields!r} of {message.fields!r}"
        if not set(response.trailers) <= set(message.trailers):
            yield f"the client gets the trailers {response.trailers!r} of {message.trailers!r}"
        if response.done and response.body != message.body:
            yield "the client takes a part for the whole"
        if response.done and not is_sound(message):
            yield f"the client does not see that the answer has {message.faults or 'no end'}"


def check_counts(outcome):
    """No more answers than requests, the probe's own answer last, and others are left alone."""
    sent = read_requests(outcome.client.sent)
    got = final(outcome.client.responses())
    if len(got) > len(sent):
        yield f"{len(got)} answers to {len(sent)} requests"
    if outcome.in_sync and not is_answer(outcome.client.responses()[-1], b"probe"):
        yield "the probe's answer is not the last one"
    if not outcome.other_is_right():
        yield f"another client gets {outcome.other.received[:60]!r}"


def broken(outcome):
    """What does not hold, in words."""
    return [*check_grammar(outcome), *check_requests(outcome), *check_responses(outcome), *check_counts(outcome)]
