"""WebSockets of a real library (Debian's python3-websockets) on both sides: what they say to each other
is the same as without the gateway."""
import asyncio
import contextlib
import os
import resource

import websockets

from peers import DEADLINE

CONNECTIONS = 1000
LARGE = 1 << 20
TUNNEL_KIB = 32  # with what the sanitizers lay around it
RULES = {"rules": [{"id": "beta", "when": {"cookie.beta": "1"}, "to": "canary"}]}


def talk(bench, conversation, **start):
    """Runs conversation(bench, URL, seen) with a WebSocket server as v1 and one as canary; `seen` is what
    the servers noticed."""
    seen = []

    async def serve(connection, name):
        seen.append((name, connection.request_headers.get("X-Adit-Variant")))
        try:
            async for message in connection:
                await connection.send(message)
        except websockets.ConnectionClosedError:
            pass  # close codes are compared below
        seen.append((connection.close_code, connection.close_reason))

    async def run():
        async with contextlib.AsyncExitStack() as stack:
            addresses = []
            for name in ("v1", "canary"):
                server = await stack.enter_async_context(websockets.serve(
                    lambda connection, name=name: serve(connection, name), "127.0.0.1", 0, backlog=2048,
                    max_size=2 * LARGE, ping_interval=None))
                addresses.append("127.0.0.1:%d" % server.sockets[0].getsockname()[1])
            config = {"upstreams": {"shop-v1": {"endpoints": [addresses[0]]},
                                    "shop-canary": {"endpoints": [addresses[1]]}}}
            bench.start(config=config, rules=RULES, **start)
            url = f"ws://shop.example.com:{bench.port}/chat"
            await asyncio.wait_for(conversation(bench, url, seen), 6 * DEADLINE)

    asyncio.run(run())


def connect(bench, url, **options):
    return websockets.connect(url, host="127.0.0.1", port=bench.port, max_size=2 * LARGE, open_timeout=None,
                              ping_interval=None, **options)


def test_messages_of_all_kinds(bench):
    async def conversation(bench, url, seen):
        async with connect(bench, url) as socket:
            for message in ("text", "", "\u00fc\u20ac\U0001f600", b"\x00\xff binary", b"", os.urandom(70_000)):
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send(["frag", "ment", "ed"])
            assert await socket.recv() == "fragmented"
            await socket.send([b"a" * 40_000, b"", b"b" * 40_000])
            assert await socket.recv() == b"a" * 40_000 + b"b" * 40_000
            await (await socket.ping(b"are you there?"))
        assert socket.close_code == 1000 and ("v1", "v1") in seen

    talk(bench, conversation)


def test_messages_of_a_megabyte(bench):
    async def conversation(bench, url, seen):
        async with connect(bench, url) as socket:
            messages = [os.urandom(LARGE) for _ in range(8)]

            async def send_all():
                for message in messages:
                    await socket.send(message)

            sender = asyncio.create_task(send_all())
            for message in messages:
                assert await socket.recv() == message
            await sender

    talk(bench, conversation)


def test_close_codes(bench):
    async def conversation(bench, url, seen):
        async with connect(bench, url) as socket:
            await socket.close(4321, "that is all")
        assert socket.close_code == 4321
        while (4321, "that is all") not in seen:
            await asyncio.sleep(0)

    talk(bench, conversation)


def test_rules_choose_the_server(bench):
    async def conversation(bench, url, seen):
        for headers, variant in (({"Cookie": "beta=1"}, "canary"), ({}, "v1"), ({"X-Canary": "always"}, "canary")):
            seen.clear()
            async with connect(bench, url, extra_headers=headers) as socket:
                await socket.send("hello")
                assert await socket.recv() == "hello"
                assert [each for each in seen if isinstance(each[0], str)] == [(variant, variant)]

    talk(bench, conversation)


def test_compressed_messages(bench):
    """permessage-deflate is between the two ends: its negotiation passes as any other field."""
    async def conversation(bench, url, seen):
        async with connect(bench, url, compression="deflate") as socket:
            assert [extension.name for extension in socket.extensions] == ["permessage-deflate"]
            await socket.send("again and " * 1000)
            assert await socket.recv() == "again and " * 1000

    talk(bench, conversation)


def test_a_thousand_connections(bench):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))

    async def conversation(bench, url, seen):
        at_rest = bench.gateway.resident_kib()
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(connect(bench, url, compression=None))
                       for _ in range(CONNECTIONS)]
            for number, socket in enumerate(sockets):
                await socket.send(f"message {number}")
            for number, socket in enumerate(sockets):
                assert await socket.recv() == f"message {number}"
            # An idle tunnel holds no block, on neither side; an exchange and two connections are 14 KiB.
            taken = bench.gateway.resident_kib() - at_rest
            assert taken < CONNECTIONS * TUNNEL_KIB, f"{taken} KiB for {CONNECTIONS} tunnels"

    try:
        talk(bench, conversation, descriptors=8192)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
