"""Which endpoint gets a request, as the endpoints of several workers see it together."""
import os
import signal
import threading

from harness import message, request, response

WORKERS = 3
ATTRIBUTES = {"user.id": {"type": "string", "from": [{"header": "X-User"}]}}


def name_of(origin):
    """It answers with its name from now on."""
    origin.serve(lambda got, name=origin.name.encode(): response(body=name))
    return origin


def endpoints(bench, letters="abc", prefix="v1-"):
    """Unix sockets, which can come back where they were."""
    return [name_of(bench.origin(f"{prefix}{letter}", path=f"{prefix}{letter}")) for letter in letters]


def hashed(hash_by, trusted=("127.0.0.0/8",), upstream="shop-v1", **more):
    return {"workers": WORKERS, "trusted_proxies": list(trusted), "attributes": ATTRIBUTES,
            "upstreams": {upstream: {"load_balancing": "hash", "hash_by": hash_by}}, **more}


def ask(bench, *fields, source=None, client=None):
    """Who answers, over a connection of its own: whichever worker has it."""
    connection = client or bench.client(source=source)
    connection.send(request("GET / HTTP/1.1", *fields))
    answer = connection.read_response()
    assert answer.status == 200, answer.head
    if not client:
        connection.close()
    return answer.body.decode()


def homes(bench, users, times=3):
    """Who answers each of them; asked several times it must be the same one."""
    found = {}
    for user in users:
        answers = {ask(bench, f"X-User: {user}") for _ in range(times)}
        assert len(answers) == 1, (user, answers)
        found[user] = answers.pop()
    return found


# ---- by hash


def test_users_keep_their_endpoint(bench):
    """In every worker, and in the next process, too; while it is away only its users go elsewhere."""
    origins = endpoints(bench)
    users = [f"user-{i}" for i in range(40)]
    bench.start(config=hashed(["user.id"]), v1=origins)
    before = homes(bench, users)
    assert set(before.values()) == {"v1-a", "v1-b", "v1-c"}, before
    origins[1].close()
    away = homes(bench, users, times=2)
    for user in users:
        assert away[user] == before[user] if before[user] != "v1-b" else away[user] in ("v1-a", "v1-c"), user
    os.unlink(origins[1].address.removeprefix("unix:"))
    endpoints(bench, "b")
    assert homes(bench, users, times=2) == before
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()
    # The order in the file does not matter.
    bench.write_files(config=hashed(["user.id"]), v1=[origins[2], origins[0], origins[1]])
    bench.run()
    assert homes(bench, users, times=2) == before


def test_an_endpoint_that_drains_gives_its_users_away(bench):
    origins = endpoints(bench)
    users = [f"user-{i}" for i in range(40)]
    bench.start(config=hashed(["user.id"]), v1=origins)
    before = homes(bench, users, times=2)

    def reload(drains):
        listed = [{"address": origin.address, "drain": drains and origin is origins[1]} for origin in origins]
        config = hashed(["user.id"])
        config["upstreams"]["shop-v1"]["endpoints"] = listed
        bench.write_files(config=config)
        assert bench.gateway.reload()[-1] == "adit: reloaded: 1 routes"

    reload(drains=True)
    drained = homes(bench, users, times=2)
    assert "v1-b" not in drained.values()
    # Without a place in the table, unlike one that is away: hardly anybody else moves, but somebody may.
    assert sum(drained[user] != before[user] for user in users if before[user] != "v1-b") <= 4
    reload(drains=False)
    assert homes(bench, users, times=2) == before


def test_the_first_attribute_that_counts(bench):
    """A header that nobody may set is none; an empty value is none; of a list the first counts."""
    bench.start(v1=endpoints(bench, "abcd"), config=hashed(
        ["user.id", "cookie.session", "header.x-tenant", "client_ip"], trusted=["127.0.0.1"]))
    numbers = range(25)
    users = {ask(bench, "X-User: one", f"Cookie: session=s{i}") for i in numbers}
    assert len(users) == 1, users
    sessions = [ask(bench, f"Cookie: session=s{i}", f"X-Tenant: t{i % 5}") for i in numbers]
    assert len(set(sessions)) > 1
    # From elsewhere the header does not count, and nobody can choose an endpoint with it.
    for fields in (["X-User: one"], ["X-User: two"], []):
        assert sessions == [ask(bench, *fields, f"Cookie: session=s{i}; session=t", source="127.0.0.9") for i in numbers]
    tenants = [ask(bench, "X-User:", "Cookie: session=", f"X-Tenant: t{i}", "X-Tenant: x") for i in numbers]
    assert len(set(tenants)) > 1
    assert tenants == [ask(bench, f"x-tenant: t{i}", source=f"127.0.0.{i + 2}") for i in numbers]
    addresses = [ask(bench, source=f"127.0.0.{i + 2}") for i in numbers]
    assert len(set(addresses)) > 1
    assert addresses == [ask(bench, f"X-Forwarded-For: 127.0.0.{i + 2}") for i in numbers]


def test_without_a_key(bench):
    """Least requests: of two that have nothing to do either."""
    bench.start(v1=endpoints(bench, "ab"), config=hashed(["user.id"]))
    assert {ask(bench) for _ in range(60)} == {"v1-a", "v1-b"}


def test_a_canary_that_is_away(bench):
    """Each of its users has one endpoint of stable meanwhile, by what stable balances by."""
    origins = endpoints(bench)
    config = hashed(["user.id"])
    config["upstreams"]["shop-canary"] = {"load_balancing": "hash", "hash_by": ["path"]}
    to_canary = {"rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
    bench.start(v1=origins, canary=[bench.refusing()], config=config, rules=to_canary)
    for i in range(20):
        user = f"X-User: user-{i}"
        assert {ask(bench, user, "X-Beta: 1") for _ in range(3)} == {ask(bench, user)}
    assert bench.counters()["failovers"] == 60


def test_a_key_from_a_directory(bench):
    """It is waited for as for a rule's, once; a client may leave meanwhile."""
    directory = bench.origin("directory")
    config = hashed(["tier"], workers=1)
    config["attributes"] = {**ATTRIBUTES, "tier": {"type": "string", "from": [{"lookup": "users", "field": "tier"}]}}
    config["lookups"] = {"users": {"url": f"http://{directory.address}/{{user.id}}", "timeout": "20s"}}
    bench.start(v1=endpoints(bench, "abcd"), config=config)

    def send(user):
        client = bench.client()
        client.send(request("GET / HTTP/1.1", f"X-User: {user}"))
        return client

    def answer(tier):
        body = f'{{"tier": "{tier}"}}'
        peer.read_request()
        peer.send(message("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", body=body))

    client, left = send("first"), send("first")
    peer = directory.accept()
    left.close()
    # Who needs no answer is not held up by it.
    assert ask(bench).startswith("v1-")
    answer("gold")
    gold = client.read_response().body.decode()
    for i in range(12):
        client = send(f"gold-{i}")
        answer("gold")
        assert client.read_response().body.decode() == gold
    others = set()
    for i in range(25):
        client = send(f"tier-{i}")
        answer(f"tier-{i}")
        others.add(client.read_response().body.decode())
    assert len(others) > 1
    assert bench.counters()["lookups_asked"] == 38


# ---- what several workers do together


def spread(bench, connections, requests):
    """How many each endpoint gets, of so many over each connection."""
    clients = [bench.client() for _ in range(connections)]
    counts = {}
    for _ in range(requests):
        for client in clients:
            name = ask(bench, client=client)
            counts[name] = counts.get(name, 0) + 1
    return counts


def test_round_robin_of_several_workers(bench):
    """Each worker is off by less than one request for each endpoint, so all of them by less than as many as they are."""
    config = {"workers": WORKERS, "upstreams": {"shop-v1": {"load_balancing": "round_robin"}}}
    bench.start(v1=endpoints(bench), config=config)
    counts = spread(bench, connections=30, requests=10)
    assert len(counts) == 3 and all(abs(n - 100) < WORKERS for n in counts.values()), counts


def test_least_requests_of_several_workers(bench):
    """While nobody is busy chance decides (the bound is six times the standard deviation)."""
    bench.start(v1=endpoints(bench), config={"workers": WORKERS, "upstreams": {"shop-v1": {"load_balancing": "least_requests"}}})
    counts = spread(bench, connections=30, requests=20)
    assert len(counts) == 3 and all(abs(n - 200) < 70 for n in counts.values()), counts


def test_least_requests_of_several_workers_that_are_busy(bench):
    """All are held until the last has come: each endpoint has a third, but for a few of each worker."""
    origins = [bench.origin(f"v1-{letter}") for letter in "abc"]
    came, goes = threading.Semaphore(0), threading.Event()

    def hold(got):
        came.release()
        goes.wait()
        return response()

    for origin in origins:
        origin.serve(hold)
    bench.start(v1=origins, config={"workers": WORKERS, "upstreams": {"shop-v1": {"load_balancing": "least_requests"}}})
    clients = [bench.client() for _ in range(90)]
    for client in clients:
        client.send(request())
    arrived = sum(came.acquire(timeout=30) for _ in clients)
    counts = [len(origin.requests) for origin in origins]
    goes.set()
    assert arrived == 90 and all(abs(n - 30) <= 4 * WORKERS for n in counts), counts
    for client in clients:
        assert client.read_response().status == 200
