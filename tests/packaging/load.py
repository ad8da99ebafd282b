#!/usr/bin/env python3
"""Asks http://127.0.0.1:8080/ without a pause until stdin ends: each request over a connection of its own, and,
in other threads, over kept ones. Prints "ready" once every thread has had an answer, and at the end as JSON
how many answers there were, and what else happened."""
import http.client
import json
import sys
import threading

THREADS = 4


class Load:
    def __init__(self):
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answered, self.failures = 0, []
        self.begun = threading.Barrier(THREADS + 1)

    def ask(self, connection, fields):
        """Once more when a kept connection ended before it said anything, as every client must (RFC 9112, 9.3.1)."""
        is_kept = connection.sock is not None
        try:
            connection.request("GET", "/", headers=fields)
            answer = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            connection.close()
            if is_kept:
                return self.ask(connection, fields)
            raise
        return answer.status, answer.read()

    def run(self, keeps):
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
        first = True
        while not self.over.is_set():
            try:
                got = self.ask(connection, {} if keeps else {"Connection": "close"})
                failure = None if got == (200, b"v1 answers\n") else repr(got)
            except (OSError, http.client.HTTPException) as problem:
                failure = repr(problem)
                connection.close()
            with self.lock:
                self.answered += failure is None
                self.failures += [failure] if failure else []
            if first:
                first = False
                self.begun.wait()


def main():
    load = Load()
    threads = [threading.Thread(target=load.run, args=(number % 2 == 0,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    load.begun.wait()
    print("ready", flush=True)
    sys.stdin.read()
    load.over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"answered": load.answered, "failures": len(load.failures), "first": load.failures[:3]}))
    return 1 if load.failures or not load.answered else 0


if __name__ == "__main__":
    sys.exit(main())
