"""Many clients at once, on several workers: everybody gets the answer to what was asked."""
import random
import signal

from harness import Task, chunked, message, request, response

CLIENTS = 12
REQUESTS = 40


def react(got):
    """An answer that tells what was asked, in a framing that the target chooses."""
    kind, body = got.target.rsplit(b"/", 1)[1][:1], got.target + b" " + got.body
    if got.method == b"HEAD":
        return message("HTTP/1.1 200 OK", f"Content-Length: {len(body)}")
    if kind == b"c":
        return message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(body[:5], body[5:]))
    if kind == b"e":
        return response("200 OK", "Connection: close", body=body)
    return message("HTTP/1.1 103 Early Hints") * (kind == b"i") + response("200 OK", body=body)


def ask(client, dice, number, i):
    kind, method = dice.choice("lcie"), dice.choice(["GET", "PUT", "POST", "HEAD"])
    target = f"/{number}/{i}/{kind}".encode()
    body = dice.randbytes(dice.choice([0, 10, 5000, 40000])) if method in ("PUT", "POST") else b""
    line = f"{method} {target.decode()} HTTP/1.1"
    if body and dice.random() < 0.5:
        client.send(request(line, "Transfer-Encoding: chunked") + chunked(body[:9], body[9:]))
    else:
        client.send(request(line, body=body))
    answer = client.read_head()
    if answer.status == 103:
        answer = client.read_head()
    client.read_body(answer, method)
    assert answer.status == 200, answer.head
    if method != "HEAD":
        assert answer.body == target + b" " + body, f"{target} got {answer.body[:60]!r}"


def visit(bench, number):
    dice = random.Random(number)
    client = bench.client()
    for i in range(REQUESTS):
        ask(client, dice, number, i)


def run(bench, meanwhile=lambda: None):
    tasks = [Task(visit, bench, number) for number in range(CLIENTS)]
    meanwhile()
    for task in tasks:
        task.result()


def start(bench):
    bench.v1.serve(react)
    bench.canary.serve(react)
    bench.start(config={"workers": 3}, rules={"default": {"split": {"canary": 50}}})


def test_nobody_gets_anothers_answer(bench):
    start(bench)
    run(bench)


def test_reloads_under_load(bench):
    start(bench)

    def reload():
        for _ in range(10):
            bench.gateway.lines.clear()
            bench.gateway.signal(signal.SIGHUP)
            bench.gateway.wait_line("reloaded")

    run(bench, reload)


def test_clients_that_leave_under_load(bench):
    """Others are not touched by those who leave at any point."""
    start(bench)

    def leave():
        sent = request("PUT /x/0/c HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"some", b"body")
        for at in range(1, len(sent), 2):
            client = bench.client()
            client.send(sent[:at])
            client.reset() if at % 4 == 1 else client.close()

    run(bench, leave)
