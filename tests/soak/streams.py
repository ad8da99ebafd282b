#!/usr/bin/env python3
"""Bodies of several gigabytes at constant memory: streams.py BINARY [--gib N]

So much is uploaded, downloaded, and both at once, over one gateway; with a known length and in
chunks. What the kernel says of the process's memory is printed for each, and may grow by 4 MiB at
most. Status 1 when it does, or when a byte is missing or another.
"""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import Bench, Task, message, request  # noqa: E402
from test_memory import BLOCK, GROWTH_MAX_KIB, MEGABYTE, expect_blocks, warm  # noqa: E402

HOUR = 3600


def framing(blocks, chunked):
    return "Transfer-Encoding: chunked" if chunked else f"Content-Length: {blocks * MEGABYTE}"


def send_body(peer, blocks, chunked, before_its_end=lambda: None):
    block = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK
    for i in range(blocks):
        if i == blocks - 1:
            before_its_end()
        peer.sock.sendall(block)
    if chunked:
        peer.sock.sendall(b"0\r\n\r\n")


def expect_body(peer, blocks, chunked):
    if not chunked:
        expect_blocks(peer, blocks)
        return
    expected, left = memoryview(BLOCK * 2), blocks * MEGABYTE
    while chunk := peer.read_chunk():
        at = -left % MEGABYTE
        assert chunk == expected[at : at + len(chunk)], f"{peer.name}: other bytes than were sent"
        left -= len(chunk)
    assert left == 0, f"{peer.name}: {left} bytes are missing"


def stream(bench, blocks, chunked, up, down):
    """One exchange with `blocks` megabytes each way that is asked for. The response ends behind the
    request: before that it would end the upload."""
    client = bench.client()
    client.send(request("POST / HTTP/1.1", framing(blocks * up, chunked)))
    origin = bench.v1.accept()
    origin.read_head()
    upload = Task(send_body, client, blocks * up, chunked)
    uploaded = Task(expect_body, origin, blocks * up, chunked)
    if not down:
        uploaded.result(HOUR)
    origin.send(message("HTTP/1.1 200 OK", framing(blocks * down, chunked)))
    download = Task(send_body, origin, blocks * down, chunked, lambda: uploaded.result(HOUR))
    client.read_head()
    expect_body(client, blocks * down, chunked)
    upload.result(HOUR)
    download.result(HOUR)
    origin.close()
    client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--gib", type=float, default=3)
    arguments = parser.parse_args()
    blocks = int(arguments.gib * 1024)
    bench = Bench(str(arguments.binary.resolve()))
    ok = True
    try:
        before = warm(bench.start())
        print(f"at rest: {before} KiB")
        for name, up, down in (("up", True, False), ("down", False, True), ("both ways", True, True)):
            for chunked in (False, True):
                start = time.monotonic()
                stream(bench, blocks, chunked, up, down)
                took = time.monotonic() - start
                growth = bench.gateway.peak_resident_kib() - before
                ok = ok and growth < GROWTH_MAX_KIB
                print(f"{blocks} MiB {name}, {'in chunks' if chunked else 'with a length'}: "
                      f"{took:.1f} s, at most {growth} KiB more", flush=True)
        bench.stop()
    finally:
        bench.release()
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
