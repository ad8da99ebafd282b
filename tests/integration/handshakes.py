"""handshakes: a WebSocket's handshake by hand, on scripted peers."""
from messages import message, request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 1.3
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SWITCHING = ("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", ACCEPT)


def open_tunnel(bench, client=None, early=b"", first=b"", target="/", origin=None):
    """Gives both ends, and both heads. `early` comes with the client's handshake, `first` with the
    origin's 101."""
    client = client or bench.client()
    client.send(request(f"GET {target} HTTP/1.1", *HANDSHAKE) + early)
    peer = (origin or bench.v1).accept()
    got = peer.read_head()
    assert got.one("Upgrade") == b"websocket" and got.one("Connection") == b"Upgrade", got.head
    peer.send(message(*SWITCHING, body=first))
    answer = client.read_head()
    assert answer.status == 101, answer.head
    assert answer.one("Upgrade") == b"websocket" and answer.one("Connection") == b"Upgrade"
    return client, peer, got, answer
