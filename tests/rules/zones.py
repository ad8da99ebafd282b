#!/usr/bin/env python3
"""Time zones as the program reads them, beside Python's zoneinfo: zones.py ADIT [SEED]

1. Every zone that the system has, at instants of the years 1800 to 2500: at random ones, and the
   second before and of changes of its offset. `now.weekday` and `now.time` are as Python has them.
2. Files that are broken, or no files, are refused, with a message that says what and where.
3. Random bytes changed in real files: refused or read, the program goes on.

The last line is "N passed, N failed".
"""
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import zoneinfo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from results import Results  # noqa: E402

ZONES = pathlib.Path("/usr/share/zoneinfo")
UTC = datetime.timezone.utc
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST, LAST = (int(datetime.datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1800, 2500))
RANDOM_INSTANTS, CHANGES = 25, 15
CHANGED_FILES = 400
MINIMAL = {"listen": [{"address": "127.0.0.1:0"}], "upstreams": {"a": {"endpoints": ["127.0.0.1:1"]}}}
WHEN = {"now.weekday": {"exists": True}, "now.time": {"exists": True}}


class Adit:
    def __init__(self, binary, folder):
        self.binary, self.folder = str(pathlib.Path(binary).resolve()), pathlib.Path(folder)
        (self.folder / "adit.json").write_text(json.dumps(MINIMAL), encoding="utf-8")

    def route(self, number, zone):
        name = f"r{number}.json"
        (self.folder / name).write_text(json.dumps({
            "route": f"r{number}", "match": {"hosts": [f"r{number}.example.com"]}, "variants": {"v1": "a"},
            "time_zone": zone, "rules": [{"id": "asked", "when": WHEN, "to": "v1"}]}), encoding="utf-8")
        return name

    def run(self, *arguments, stdin="", zones=None):
        environment = {key: value for key, value in os.environ.items() if key != "TZDIR"}
        if zones is not None:
            environment["TZDIR"] = str(zones)
        return subprocess.run([self.binary, *arguments], cwd=self.folder, input=stdin, env=environment,
                              capture_output=True, encoding="utf-8", timeout=300, check=False)


# ---- beside Python -------------------------------------------------------------------------------

def local(zone, second):
    return (datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=second)).astimezone(zone)


def offset(zone, second):
    return local(zone, second).utcoffset()


def changes(zone, chance):
    """Seconds at which the offset changes, by bisection between instants a month apart."""
    found, step = [], 30 * 86400
    for _ in range(CHANGES):
        low = chance.randrange(int(FIRST * 0.5), LAST - 14 * step)
        for high in range(low + step, low + 13 * step, step):
            if offset(zone, low) != offset(zone, high):
                break
            low = high
        else:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(zone, middle) == offset(zone, low):
                low = middle
            else:
                high = middle
        found.append(high)
    return found


def instants(zone, chance):
    for second in changes(zone, chance):
        yield from ((second - 1, 999), (second, 0), (second + 1, 0))
    for _ in range(RANDOM_INSTANTS):
        yield chance.randrange(FIRST, LAST), chance.choice((0, 1, 999))


def compare(adit, results, chance):
    names = sorted(name for name in zoneinfo.available_timezones() if (ZONES / name).is_file())
    results.check("zones", "" if len(names) > 300 else f"only {len(names)} zones are installed")
    files = [adit.route(number, name) for number, name in enumerate(names)]
    asked, lines = [], []
    for number, name in enumerate(names):
        zone = zoneinfo.ZoneInfo(name)
        for second, ms in instants(zone, chance):
            now = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=second, milliseconds=ms)
            shown = local(zone, second)
            asked.append((name, now, WEEKDAYS[shown.weekday()], shown.strftime("%H:%M:%S")))
            lines.append(json.dumps({"url": f"http://r{number}.example.com/",
                                     "now": now.isoformat(timespec="milliseconds") + "Z"}))
    done = adit.run("explain", "-c", "adit.json", *[part for file in files for part in ("--rules", file)],
                    "--batch", "--trace", stdin="\n".join(lines) + "\n")
    answers = done.stdout.splitlines()
    results.check("a line for each instant",
                  "" if len(answers) == len(asked) > 10000 else f"{len(answers)} of {len(asked)}: {done.stderr[:500]}")
    for (name, now, *expected), line in zip(asked, answers):
        got = [condition["seen"] for condition in json.loads(line)["rules"][0]["conditions"]]
        results.check(f"{name} at {now}Z", "" if got == expected else f"{got}, Python has {expected}")


# ---- broken files --------------------------------------------------------------------------------

def second_header(content):
    return content.index(b"TZif", 4)


def with_bytes(content, at, new):
    return content[:at] + new + content[at + len(new):]


def broken_files():
    """(name, content, part of the message)"""
    berlin = (ZONES / "Europe/Berlin").read_bytes()
    header = second_header(berlin)
    times = int.from_bytes(berlin[header + 32:header + 36], "big")
    types = int.from_bytes(berlin[header + 36:header + 40], "big")
    block = header + 44
    yield "Empty", b"", "is cut short"
    yield "Text", b"Mon-Fri 9 to 5", "is not a time zone (TZif)"
    yield "Half", berlin[:len(berlin) // 2], "is cut short"
    yield "Without_end", berlin[:-1], "is cut short"
    yield "Without_rule", berlin[:berlin.rindex(b"\n", 0, -1)], "is cut short"
    yield "Longer", berlin + b"\n", "has something behind its end"
    yield "Version", with_bytes(berlin, 4, b"9"), "is of a version"
    yield "Versions", with_bytes(berlin, header + 4, b"3" if berlin[4:5] == b"2" else b"2"), "it is of two versions"
    yield "Types", with_bytes(berlin, header + 36, bytes(4)), "numbers in its header"
    yield "Flags", with_bytes(berlin, header + 20, (types + 1).to_bytes(4, "big")), "numbers in its header"
    yield "Leap_seconds", with_bytes(berlin, header + 28, (1).to_bytes(4, "big")), "leap seconds"
    yield "Many", with_bytes(berlin, header + 32, b"\xff\xff\xff\xff"), "numbers in its header"
    yield "Not_ascending", with_bytes(berlin, block + 8, berlin[block:block + 8]), "its times do not ascend"
    yield "Index", with_bytes(berlin, block + times * 8, bytes([types])), "a type is missing"
    yield "Offset", with_bytes(berlin, block + times * 9, (26 * 3600).to_bytes(4, "big")), "26 hours or more"
    yield "Type", with_bytes(berlin, block + times * 9 + 4, b"\x02"), "a type is not one"
    rule = berlin.rindex(b"\n", 0, -1)
    yield "Rule", berlin[:rule] + b"\nCET-1CEST,M13.1.0,M1.1.0\n", "not a TZ string of POSIX"
    yield "Rule_without_dates", berlin[:rule] + b"\nCET-1CEST\n", "not a TZ string of POSIX"
    yield "Large", b"TZif" + bytes(300 * 1024), "it is larger than 262144 bytes"


def refuse(adit, results, zone, expected, zones):
    done = adit.run("check", "-c", "adit.json", adit.route(0, zone), zones=zones)
    ok = done.returncode == 1 and done.stderr.startswith("r0.json:1:") and expected in done.stderr
    results.check(f"{zone} is refused", "" if ok else f"{done.returncode}: '{done.stderr}' instead of '{expected}'")


def check_broken(adit, results, zones):
    for name, content, expected in broken_files():
        (zones / name).write_bytes(content)
        refuse(adit, results, name, expected, zones)
    (zones / "Folder").mkdir()
    os.mkfifo(zones / "Pipe")
    refuse(adit, results, "Folder", "it is a directory", zones)
    refuse(adit, results, "Pipe", "it is not a regular file", zones)
    refuse(adit, results, "Nowhere", f"there is no time zone 'Nowhere' in {zones} (names are like", zones)
    refuse(adit, results, "UTC0", "install the package tzdata", zones / "missing")
    refuse(adit, results, "../secret", "is not the name of a time zone", zones)
    done = adit.run("check", "-c", "adit.json", adit.route(0, "UTC"), zones=zones / "missing")
    results.check("UTC needs no file", done.stderr if done.returncode != 0 else "")
    (zones / "Berlin").write_bytes((ZONES / "Europe/Berlin").read_bytes())
    done = adit.run("check", "-c", "adit.json", adit.route(0, "Berlin"), zones=zones)
    results.check("TZDIR names another folder", done.stderr if done.returncode != 0 else "")


def check_changed(adit, results, zones, chance):
    sources = [(ZONES / name).read_bytes() for name in ("Europe/Berlin", "Asia/Shanghai", "America/Nuuk", "UTC")]
    files, lines = [], []
    for number in range(CHANGED_FILES):
        content = bytearray(chance.choice(sources))
        for _ in range(chance.choice((1, 1, 2, 8))):
            content[chance.randrange(len(content))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        (zones / f"Changed{number}").write_bytes(content)
        files.append(adit.route(number, f"Changed{number}"))
    done = adit.run("check", "-c", "adit.json", *files, zones=zones)
    results.check("changed files", "" if done.returncode == 1 and "Sanitizer" not in done.stderr else done.stderr[-500:])
    refused = [line.split(":")[0] for line in done.stderr.splitlines() if "time_zone" in line]
    taken = [file for file in files if file not in refused and f"{file}:" not in done.stderr]
    for file in taken[:50]:
        for now in ("0001-01-01", "1900-01-01", "2026-07-01", "9999-12-31"):
            lines.append(json.dumps({"url": f"http://{file.removesuffix('.json')}.example.com/", "now": now}))
    done = adit.run("explain", "-c", "adit.json", *[part for file in taken[:50] for part in ("--rules", file)], "--batch",
                    stdin="\n".join(lines) + "\n", zones=zones)
    ok = done.returncode == 0 and len(done.stdout.splitlines()) == len(lines) > 0
    results.check("and what is read of them", "" if ok else done.stderr[-500:])


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    zoneinfo.reset_tzpath([str(ZONES)])
    results = Results()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as zones:
        adit = Adit(arguments[0], folder)
        compare(adit, results, random.Random(seed))
        check_broken(adit, results, pathlib.Path(zones))
        check_changed(adit, results, pathlib.Path(zones), random.Random(seed))
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
