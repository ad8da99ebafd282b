"""changing: a gateway that is changed under load; for the tests here and the longer ones in tests/soak."""
import contextlib
import signal

from harness import Bench
from load import Load
from successors import Family

WORKERS = (2, 3, 1, 4)  # one after the other


class Changing:
    """A bench under load whose every configuration (generation) is told apart by the id of its only rule."""

    def __init__(self, bench: Bench, load: Load):
        self.bench, self.load = bench, load
        self.generation = 0
        self.peak = 0

    def write(self, listen=None):
        """The files of the next generation; its name."""
        self.generation += 1
        name = f"g{self.generation}"
        upstream = {"endpoints": [self.load.address], "load_balancing": "round_robin"}
        self.bench.write_files(
            config={"workers": WORKERS[self.generation % len(WORKERS)],
                    "upstreams": {"shop-v1": upstream, "shop-canary": upstream},
                    **({"listen": [{"address": listen}]} if listen else {})},
            rules={"rules": [{"id": name, "to": "canary" if self.generation % 2 else "v1"}]})
        self.load.begins(name)
        return name

    def start(self, listen=None, **started):
        self.write(listen)
        self.bench.run(**started)
        self.load.start(self.bench.port)

    def upgrade(self, family: Family):
        old = f"g{self.generation}"
        self.write()
        family.expect_end(family.upgrade())
        self.load.ends(old)

    def reload(self):
        old = f"g{self.generation}"
        self.write()
        outcome = self.bench.gateway.reload()[-1]
        assert outcome == "adit: reloaded: 1 routes", outcome
        self.load.ends(old)
        self.bench.gateway.lines.clear()

    def replace(self, listen, **started):
        """Stops the gateway, and starts another as soon as it listens no more."""
        first, old = self.bench.gateway, f"g{self.generation}"
        first.signal(signal.SIGTERM)
        first.wait_line("^adit: draining$")
        self.write(listen)
        yield
        self.bench.run(**started)
        yield
        first.expect_clean_end()
        self.load.ends(old)


@contextlib.contextmanager
def under_load(bench, **size):
    with contextlib.closing(Load(**size)) as load:
        yield Changing(bench, load)
