#!/usr/bin/env python3
"""What a release build and the shipped units are protected with: run.py PATH-OF-ADIT

Each check is a function named check_*: its docstring is what must hold, what it yields are breaches.
The last line is "N passed, N failed".
"""
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import run_checks  # noqa: E402

UNITS = ROOT / "packaging/systemd"
EXPOSURE_MAX = 15  # tenths, of systemd-analyze security; what is left is the network, mostly
# What the process calls before its own filter holds, and what its launcher does.
AT_START = {"bind", "capset", "clone", "close_range", "dup2", "dup3", "execve", "kill", "listen", "prctl", "seccomp",
            "setsockopt", "signalfd4", "socketpair", "wait4"}


def said(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


# ---- the program


def check_position_independent(adit):
    """The program is position independent, so that its addresses can be random."""
    if "Type:                              DYN" not in said("readelf", "-hW", adit):
        yield "it is no DYN object"
    if "PIE" not in said("readelf", "-dW", adit):
        yield "it has no flag PIE"


def check_relocations(adit):
    """Relocations are read-only before main() runs, and none is in code."""
    dynamic = said("readelf", "-dW", adit)
    if "GNU_RELRO" not in said("readelf", "-lW", adit):
        yield "it has no RELRO segment"
    if "BIND_NOW" not in dynamic:
        yield "it binds late"
    if "TEXTREL" in dynamic:
        yield "it has relocations in code"


def check_memory(adit):
    """No memory is both writable and executable, the stack neither."""
    segments = re.findall(r"^  (LOAD|GNU_STACK) .* ([R ][W ][E ]) +0x", said("readelf", "-lW", adit), re.M)
    if "GNU_STACK" not in dict(segments):
        yield "it says nothing of its stack"
    for name, rights in segments:
        if "W" in rights and "E" in rights:
            yield f"{name} is {rights}"


def check_library_path(adit):
    """Libraries come from where the system has them."""
    if re.search(r"R(UN)?PATH", said("readelf", "-dW", adit)):
        yield "it names a path of its own"


def check_checked_calls(adit):
    """Stacks have canaries, and calls that know the size of their buffer check it (_FORTIFY_SOURCE)."""
    imported = said("readelf", "-W", "--dyn-syms", adit)
    for name in ("__stack_chk_fail", "__vsnprintf_chk", "__memcpy_chk"):
        if name not in imported:
            yield f"it does not use {name}()"


def check_code(adit):
    """Jumps land where they should (CET), and large frames are probed page by page."""
    if platform.machine() != "x86_64":
        return
    if "endbr64" not in said("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", adit):
        yield "main() does not begin with endbr64"
    # Two lines of 4 KiB are more than the page that may be skipped. The linker may have made copies of it for some callers.
    code = said("objdump", "-d", "--no-show-raw-insn", adit)
    functions = re.findall(r"^[0-9a-f]+ <log_write(?:\.[a-z]+\.\d+)*>:\n((?:.+\n)+)", code, re.MULTILINE)
    if not functions or not all(re.search(r"\bor[ql]? +\$0x0,\(%rsp\)", one) for one in functions):
        yield "log_write() does not probe its stack"


def check_tells_no_origin(adit):
    """The program tells neither where nor when it was built, so that two builds are the same."""
    content = pathlib.Path(adit).read_bytes()
    if os.fsencode(ROOT) in content:
        yield f"it has {ROOT} in it"
    months = b"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
    for found in re.findall(rb"(?:" + months + rb") [ 123]\d 20\d\d", content):
        yield f"it has a date in it: {found}"
    for path in ROOT.glob("src/**/*.[ch]"):
        if re.search(r"\b__(DATE|TIME|TIMESTAMP)__\b", path.read_text()):
            yield f"{path} asks for the time of its compilation"


# ---- the units


def unit_for(adit, directory):
    """The service as it is, but for the place of the program."""
    text = (UNITS / "adit.service").read_text()
    (pathlib.Path(directory) / "adit.service").write_text(text.replace("/usr/local/bin/adit", adit))
    (pathlib.Path(directory) / "adit.socket").write_text((UNITS / "adit.socket").read_text())
    return [f"{directory}/adit.service", f"{directory}/adit.socket"]


def check_units(adit):
    """systemd has nothing to say of the units."""
    with tempfile.TemporaryDirectory() as directory:
        yield from said("systemd-analyze", "verify", *unit_for(adit, directory)).splitlines()


def check_exposure(adit):
    """The service is as little exposed as a server can be."""
    with tempfile.TemporaryDirectory() as directory:
        service, _ = unit_for(adit, directory)
        report = said("systemd-analyze", "security", "--offline=true", "--no-pager",
                      f"--threshold={EXPOSURE_MAX}", service, status=None)
    level = re.search(r"Overall exposure level for adit.service: (\d+)\.(\d)", report)
    if not level or int(level[1] + level[2]) > EXPOSURE_MAX:
        yield from report.splitlines()


def expand(names):
    """System calls, groups opened."""
    for name in names:
        if name.startswith("@"):
            lines = said("systemd-analyze", "syscall-filter", "--no-pager", name).splitlines()[1:]
            yield from expand(line.strip() for line in lines if not line.strip().startswith("#"))
        elif name:
            yield name


def check_system_calls(_adit):
    """The unit allows what the process needs at its start, and what its own filter lets through."""
    allowed = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", (UNITS / "adit.service").read_text(), re.M):
        calls = set(expand(value.removeprefix("~").split()))
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    source = (ROOT / "src/sandbox/filter.c").read_text()
    tables = re.findall(r"^static const [a-z ]+ allowed(?:_with|_for_[a-z]+)?\[\] = \{(.*?)^\};", source, re.M | re.S)
    needed = set(re.findall(r"SCMP_SYS\((\w+)\)", "".join(tables)))
    if len(tables) != 4 or len(needed) < 50:
        yield "the tables of src/sandbox/filter.c are not found"
    for call in sorted((needed | AT_START) - allowed):
        yield f"SystemCallFilter does not allow {call}"


def check_notify(_adit):
    """systemd waits for the gateway to serve, and believes the main process only."""
    unit = (UNITS / "adit.service").read_text()
    for line in ("Type=notify", "NotifyAccess=main", "ExecReload=/bin/kill -HUP $MAINPID"):
        if line not in unit.splitlines():
            yield f"the service has no {line}"


def check_user(_adit):
    """The user that the service runs as can be made."""
    with tempfile.TemporaryDirectory() as root:
        made = said("systemd-sysusers", "--dry-run", f"--root={root}", str(UNITS / "adit.conf"))
    if not re.search(r"Creating user '?adit", made):
        yield made


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    return run_checks(globals(), os.path.abspath(arguments[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
