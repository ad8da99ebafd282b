"""Steady traffic while the gateway is upgraded and replaced: every request is answered once, by what was right then."""
from changing import under_load
from sockets import tcp_sockets, wait_for
from successors import upgrades
from test_socket_activation import address_of, handing_over, listening

UPGRADES = 3
LISTEN = 10


def test_upgrades(bench):
    """With other rules each time, and another number of workers. tests/soak has more of them."""
    with under_load(bench) as changing:
        changing.start()
        with upgrades(bench) as family:
            for _ in range(UPGRADES):
                changing.load.wait_for(100)
                changing.upgrade(family)
            changing.load.wait_for(100)
            counts = changing.load.account()
        assert counts["generations"] == UPGRADES + 1 and counts["refused"] == 0, counts


def test_another_gateway_on_the_port(bench):
    """Stopped, and another started: who is refused in between, or was in the queue of the socket that closed, has been
    heard by nobody, and comes again."""
    with under_load(bench, stays=False) as changing:
        port = bench.hold()
        changing.start(f"127.0.0.1:{port}")
        changing.load.wait_for(100)
        replacement = changing.replace(f"127.0.0.1:{port}")
        next(replacement)
        wait_for(lambda: (port, 0, LISTEN) not in set(tcp_sockets()), "the first gateway listens on")
        for _ in replacement:
            changing.load.wait_for(100)
        counts = changing.load.account()
        assert counts["generations"] == 2, counts


def test_another_gateway_on_a_socket_that_is_kept(bench):
    """Of a service manager: then nobody is refused either."""
    with listening() as one, under_load(bench) as changing:
        changing.start(address_of(one), **handing_over(one))
        changing.load.wait_for(100)
        for _ in changing.replace(address_of(one), **handing_over(one)):
            pass
        changing.load.wait_for(100)
        counts = changing.load.account()
        assert counts["generations"] == 2 and counts["refused"] == 0, counts
