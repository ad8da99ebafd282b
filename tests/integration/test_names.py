"""Host names of endpoints whose answers change: a DNS server of the test's own, asked by the gateway's C library."""
import contextlib
import functools
import select
import socket

import dns
from harness import DEADLINE, request, response

SHOP = "shop.test"
CANARY = "canary.test"
TO_CANARY = {"expose_decision": True, "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
BETA = request("GET / HTTP/1.1", "X-Beta: 1")


def with_dns(test):
    """test(bench, server)."""
    @functools.wraps(test)
    def with_server(bench):
        with contextlib.closing(dns.Dns()) as server:
            test(bench, server)
    return with_server


def origins_at(bench, *hosts):
    """One at each address, all at one port, as a name has them."""
    for _ in range(dns.TRIES):
        origins = [bench.origin(hosts[0], host=hosts[0])]
        with contextlib.suppress(OSError):  # somebody has the port at another of the addresses
            for host in hosts[1:]:
                origins.append(bench.origin(host, host=host, port=origins[0].port))
            return origins
    raise AssertionError(f"no port is free at all of {hosts}")


def start(bench, server, port, canary_port=None, config=None, **more):
    endpoints = {"shop-v1": {"endpoints": [f"{SHOP}:{port}"]}}
    if canary_port:
        endpoints["shop-canary"] = {"endpoints": [f"{CANARY}:{canary_port}"]}
    bench.write_files(config={"upstreams": endpoints, "dns": {"refresh": "100ms"}, **(config or {})}, **more)
    return bench.run(before=server.before(bench.binary))


def serve_names(*origins):
    for origin in origins:
        origin.serve(lambda got, name=origin.name: response(body=name.encode()))


def answered_by(client, times, sent=None):
    """The names of those who answer so many requests."""
    names = []
    for _ in range(times):
        client.send(sent or request())
        answer = client.read_response()
        assert answer.status == 200, answer.head
        names.append(answer.body.decode())
    return names


def has_ipv6_loopback():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@with_dns
def test_all_addresses_are_used(bench, server):
    """A and AAAA alike. Where the machine has no ::1, it is tried all the same."""
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] + (["::1"] if has_ipv6_loopback() else [])
    origins = origins_at(bench, *hosts)
    serve_names(*origins)
    server.set(SHOP, "127.0.0.1", "127.0.0.2", "127.0.0.3", "::1")
    start(bench, server, origins[0].port)
    assert set(answered_by(bench.client(), 8)) == set(hosts)
    if "::1" not in hosts:
        bench.gateway.wait_line(rf"endpoint \[::1\]:{origins[0].port}: ")


@with_dns
def test_many_addresses(bench, server):
    """More than a datagram holds."""
    hosts = [f"127.0.1.{i}" for i in range(1, 61)]
    origins = origins_at(bench, *hosts)
    serve_names(*origins)
    server.set(SHOP, *hosts)
    start(bench, server, origins[0].port)
    assert sorted(answered_by(bench.client(), len(hosts))) == sorted(hosts)
    assert server.over_tcp > 0


@with_dns
def test_address_added_and_removed(bench, server):
    """The new one gets its share, the one that is gone nothing new; what runs there ends well, and the idle connection
    to the one that stays is used again."""
    stays, goes, comes = origins_at(bench, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    server.set(SHOP, "127.0.0.1", "127.0.0.2")
    start(bench, server, stays.port)
    client, other = bench.client(), bench.client()
    kept = bench.exchange(client, stays)[0]
    other.send(request("POST / HTTP/1.1", body=b"long"))
    running = goes.accept()
    assert running.read_request().body == b"long"
    server.set(SHOP, "127.0.0.1", "127.0.0.3")
    server.wait_taken(SHOP)
    serve_names(comes)
    used = {"comes": 0, "stays": 0}
    for _ in range(6):
        client.send(request())
        if kept_is_asked(kept, client):
            used["stays"] += 1
            kept.send(response(body=b"kept"))
        answer = client.read_response()
        used["comes"] += answer.body == b"127.0.0.3"
    assert used == {"comes": 3, "stays": 3}, used
    running.send(response(body=b"ended well"))
    assert other.read_response().body == b"ended well"
    stays.expect_untouched()  # but for the connection that it has had from the start
    goes.expect_untouched()


def kept_is_asked(kept, client):
    """Whether the kept connection gets the request, and not the client an answer of another endpoint."""
    readable = select.select([kept.sock, client.sock], [], [], DEADLINE)[0]
    assert readable, "nobody answers"
    if kept.sock not in readable:
        return False
    kept.read_request()
    return True


@with_dns
def test_bad_answers_keep_the_last_good_one(bench, server):
    """None, an empty one, errors: traffic goes on, and the log says it once."""
    origins = origins_at(bench, "127.0.0.1", "127.0.0.2")
    serve_names(*origins)
    server.set(SHOP, "127.0.0.1", "127.0.0.2")
    start(bench, server, origins[0].port)
    client = bench.client()
    for code in (dns.NXDOMAIN, dns.SERVFAIL, dns.REFUSED, dns.NOERROR, dns.SILENCE):
        since = len(bench.gateway.lines)
        server.fail(SHOP, code)
        bench.gateway.wait_line(rf"adit: warning: host '{SHOP}' cannot be resolved: .*; its last addresses stay$", since)
        server.wait_taken(SHOP)
        assert sorted(answered_by(client, 4)) == sorted(2 * ["127.0.0.1", "127.0.0.2"]), code
        said = [line for line in bench.gateway.lines[since:] if "resolved" in line]
        assert len(said) == 1, said
        server.set(SHOP, "127.0.0.1", "127.0.0.2")
        bench.gateway.wait_line(rf"adit: host '{SHOP}' can be resolved again$", since)
    assert sorted(answered_by(client, 4)) == sorted(2 * ["127.0.0.1", "127.0.0.2"])


@with_dns
def test_half_of_an_answer(bench, server):
    """There are no AAAA records, or nobody can say whether there are: the A records count."""
    origins = origins_at(bench, "127.0.0.1", "127.0.0.2")
    serve_names(*origins)
    server.set(SHOP, "127.0.0.1")
    start(bench, server, origins[0].port)
    client = bench.client()
    assert set(answered_by(client, 4)) == {"127.0.0.1"}
    server.set_each(SHOP, ["127.0.0.1", "127.0.0.2"], dns.SERVFAIL)
    server.wait_taken(SHOP)
    assert set(answered_by(client, 4)) == {"127.0.0.1", "127.0.0.2"}


@with_dns
def test_name_that_is_not_known_yet(bench, server):
    """A service without a pod; the canary's users get stable meanwhile."""
    [canary] = origins_at(bench, "127.0.0.1")
    serve_names(canary, bench.v1)
    server.set(SHOP, "127.0.0.1")
    start(bench, server, bench.v1.port, canary.port, rules=TO_CANARY)
    client = bench.client()
    assert answered_by(client, 2, BETA) == ["v1"] * 2
    since = len(bench.gateway.lines)
    server.set(CANARY, "127.0.0.1")
    bench.gateway.wait_line(rf"host '{CANARY}' can be resolved again$", since)
    server.wait_taken(CANARY)
    assert answered_by(client, 2, BETA) == ["127.0.0.1"] * 2


@with_dns
def test_reload_with_another_name_is_served_at_once(bench, server):
    """The first answer is waited for, so that nobody is told that there is no endpoint."""
    old, new = origins_at(bench, "127.0.0.1", "127.0.0.2")
    serve_names(old, new)
    server.set(SHOP, "127.0.0.1")
    server.set(CANARY, "127.0.0.2")
    start(bench, server, old.port, config={"workers": 2})
    clients = [bench.client() for _ in range(8)]
    for name, answers in ((CANARY, "127.0.0.2"), (SHOP, "127.0.0.1")) * 3:
        bench.write_files(config={"workers": 2, "upstreams": {"shop-v1": {"endpoints": [f"{name}:{old.port}"]}}})
        bench.gateway.reload()
        for client in clients:
            assert answered_by(client, 1) == [answers]


@with_dns
def test_refresh_is_taken_up_by_a_reload(bench, server):
    [old, new] = origins_at(bench, "127.0.0.1", "127.0.0.2")
    serve_names(old, new)
    server.set(SHOP, "127.0.0.1")
    start(bench, server, old.port, config={"dns": {"refresh": "1h"}})
    client = bench.client()
    assert answered_by(client, 1) == ["127.0.0.1"]
    server.set(SHOP, "127.0.0.2")
    bench.write_files(config={"upstreams": {"shop-v1": {"endpoints": [f"{SHOP}:{old.port}"]}}, "dns": {"refresh": "100ms"}})
    bench.gateway.reload()
    server.wait_taken(SHOP)
    assert answered_by(client, 1) == ["127.0.0.2"]


@with_dns
def test_name_whose_server_hangs(bench, server):
    """It holds up no other one: stable's pods may move meanwhile."""
    [old, new] = origins_at(bench, "127.0.0.1", "127.0.0.2")
    serve_names(old, new)
    server.set(SHOP, "127.0.0.1")
    server.set(CANARY, "127.0.0.1")
    start(bench, server, old.port, old.port)
    client = bench.client()
    assert answered_by(client, 1) == ["127.0.0.1"]
    server.fail(CANARY, dns.SILENCE)
    server.wait_asked(CANARY, 1)
    server.set(SHOP, "127.0.0.2")
    server.wait_taken(SHOP)
    assert answered_by(client, 2) == ["127.0.0.2"] * 2
    assert not any("cannot be resolved" in line for line in bench.gateway.lines), "the other one was over before"
