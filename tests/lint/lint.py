#!/usr/bin/python3
"""Rules of the house that a program can check. Prints what is wrong, where; ends with a count.

Each check is a function named check_*: its docstring is the rule, what it yields are breaches.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import run_checks  # noqa: E402

# Who may include whose header (docs/architecture.md has the same table, checked below).
LAYERS = {
    "base": "",
    "zone": "base",
    "json": "base",
    "regex": "base",
    "crypto": "base",
    "http": "base",
    "transport": "base",
    "client": "base",
    "sandbox": "",
    "health": "base http client",
    "lookup": "base json crypto client",
    "agent": "base",
    "attrs": "base zone json regex http agent",
    "geo": "base json attrs",
    "jwt": "base json crypto http attrs",
    "keyset": "base crypto client attrs jwt",
    "config": "base json attrs geo http health lookup jwt keyset",
    "rules": "base zone json regex attrs http",
    "decide": "base crypto http attrs rules",
    "accesslog": "base http attrs rules decide",
    "findings": "base zone json regex attrs rules decide",
    "policy": "base json crypto http config attrs geo rules decide findings",
    "overrides": "base json rules policy",
    "upstream": "base config http transport client health attrs",
    "gateway": "base json crypto http transport config attrs rules decide policy overrides upstream health lookup jwt keyset sandbox",
    "admin": "base json crypto http config jwt rules policy overrides gateway",
    "import": "base json regex http",
    "cli": "base zone json crypto http config attrs rules decide accesslog findings policy client lookup jwt keyset import gateway admin",
}
OTHER_HEADERS = {"breaker": "upstream", "conditions": "rules", "prober": "findings"}  # of modules that have more than the one of their name
BASE_HEADERS = {"arena", "cache", "diag", "hash", "ip", "log", "str", "text", "units"}
LIBRARIES = {
    "microhttpd.h": {"admin", "cli"},
    "hiredis/": {"lookup"},
    "curl/curl.h": {"client", "health", "lookup"},
    "pcre2.h": {"regex"},
    "seccomp.h": {"sandbox"},
    "maxminddb.h": {"geo"},
    "cjson/cJSON.h": {"json", "jwt", "attrs", "geo", "lookup", "config", "rules", "findings", "policy", "overrides", "admin", "cli"},
    "openssl/": {"crypto", "jwt", "transport"},
    "yaml.h": {"import"},
    "zlib.h": {"cli"},
}
BANNED = {
    "atoi": "use str_to_u64", "atol": "use str_to_u64", "gets": "never",
    "sprintf": "use snprintf or text_printf", "strcat": "use text_add", "strcpy": "use memcpy",
    "strncpy": "use memcpy", "strtok": "use str_split_next", "alloca": "use an arena",
    "gmtime": "use gmtime_r", "localtime": "use localtime_r", "rand": "use crypto_random",
    "system": "use fork and exec", "popen": "use fork and exec", "usleep": "wait for an event",
}
PURE = {"zone", "agent", "attrs", "rules", "decide", "accesslog", "findings"}
LINES_MAX = 700


def sources(*patterns):
    for pattern in patterns:
        yield from sorted(ROOT.glob(pattern))


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1)


def module_of(header):
    name = header.removeprefix("adit/").removesuffix(".h")
    return "base" if name in BASE_HEADERS else OTHER_HEADERS.get(name, name)


def without_comments_and_strings(text):
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def check_layers():
    """A module includes the headers of the layers below it only."""
    for path in sources("src/*/*.[ch]"):
        module = path.parent.name
        allowed = set(LAYERS[module].split()) | {module}
        for number, header in includes(path):
            if header.startswith("adit/") and module_of(header) not in allowed:
                yield path, number, f"{module} may not use {module_of(header)}"


def check_libraries():
    """A library's header stays in the modules that wrap it; none is in include/adit."""
    for path in sources("src/*.c", "src/*/*.[ch]", "include/adit/*.h"):
        for number, header in includes(path):
            for library, modules in LIBRARIES.items():
                if header.startswith(library) and path.parent.name not in modules:
                    yield path, number, f"<{header}> is not for {path.parent.name}"


def check_purity():
    """The pure core knows no sockets, no clock and no log."""
    impure = re.compile(r"\b(clock_wall_ms|clock_monotonic_ms|clock_gettime|time\(NULL\)|log_write|log_diags|socket|printf)\s*\(")
    for path in sources(*(f"src/{module}/*.[ch]" for module in PURE)):
        for number, line in enumerate(without_comments_and_strings(path.read_text()).splitlines(), 1):
            match = impure.search(line)
            if match:
                yield path, number, f"{match.group(1)} in a pure module"


def check_banned_calls():
    """Some functions are never right here."""
    call = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    for path in sources("src/**/*.[ch]", "include/adit/*.h"):
        for number, line in enumerate(without_comments_and_strings(path.read_text()).splitlines(), 1):
            match = call.search(line)
            if match:
                yield path, number, f"{match.group(1)}(): {BANNED[match.group(1)]}"


def check_length():
    """A file fits a sitting."""
    for path in sources("src/**/*.[ch]", "include/adit/*.h"):
        lines = path.read_text().count("\n")
        if lines > LINES_MAX:
            yield path, lines, f"more than {LINES_MAX} lines: split by meaning"


def check_promises():
    """Nothing is left for later."""
    left = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    for path in sources("src/**/*.[ch]", "include/**/*.h", "tests/**/*.[chy]*", "docker/*", "docs/**/*.md"):
        if path.is_file():
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if left.search(line):
                    yield path, number, "left for later"


def check_headers_alone():
    """Each public header compiles alone, and has its guard."""
    for path in sources("include/adit/*.h"):
        done = subprocess.run(
            ["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include",
             "-fsyntax-only", "-x", "c", str(path)], capture_output=True, text=True)
        if done.returncode != 0:
            yield path, 1, done.stderr.strip().splitlines()[0]
        if f"#ifndef ADIT_{path.stem.upper()}_H" not in path.read_text():
            yield path, 1, "has no include guard of its name"


def check_format():
    """clang-format has nothing to change."""
    files = [str(p) for p in sources("src/**/*.[ch]", "include/adit/*.h", "tests/**/*.[ch]")]
    done = subprocess.run(["clang-format", "--dry-run", *files], capture_output=True, text=True)
    seen = set()
    for line in done.stderr.splitlines():
        match = re.match(r"(.+?):(\d+):\d+: warning", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield pathlib.Path(match.group(1)), int(match.group(2)), "not formatted: clang-format -i"


def check_packages():
    """The one list of packages is docker/deps.sh: no other script installs any."""
    for path in sources("tests/**/*.sh", "tests/**/*.py", "docker/*.sh", ".ci/*"):
        if path.is_file() and path.name not in ("deps.sh", "lint.py") and re.search(r"\bapt-get .*(install|update)", path.read_text()):
            yield path, 1, "installs packages itself"


def check_architecture_table():
    """docs/architecture.md shows the layers as they are."""
    path = ROOT / "docs/architecture.md"
    text = path.read_text() if path.exists() else ""
    for module, below in LAYERS.items():
        row = re.search(rf"^\|\s*`{module}`\s*\|([^|]*)\|", text, re.M)
        said = set(re.findall(r"`(\w+)`", row.group(1))) if row else None
        if said != set(below.split()):
            yield path, 1, f"layer {module}: the table says {said}, tests/lint/lint.py {below or 'nothing'}"


def show(breach):
    path, number, what = breach
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{number}: {what}"


sys.exit(run_checks(globals(), show=show))
