#!/usr/bin/env python3
"""Every example of README.md and docs/*.md is run as it stands there: run.py PATH-OF-ADIT [DOCUMENT…]

What stands behind the three backquotes says what a block is:

    ```jsonc adit       a complete adit.json                            must pass `adit check`
    ```jsonc rules      a complete rule file                            must pass `adit check`
    ```jsonc part       members of a rule file, without the braces      … wrapped into one
    ```jsonc rule       one rule or several, each beginning with { at the start of a line
    ```jsonc when       one condition or several, in the same way
    ```json requests    lines `REQUEST => DECISION`, both JSON: under the last `rules` or `part`
                        above (else the last that was written with file=), a batch decision must
                        have every member of DECISION
    ```sh               `$ ` begins a command (a line that ends in \\ goes on in the next); what
                        follows is its output. No output: it prints nothing and succeeds
    ```text, ```mermaid  prose and pictures: not run

More words may follow on the same line:

    file=NAME           the block is also written to NAME, for the commands and blocks after it. With
                        another language than those above it is only written
    bad                 it must not pass; the next block, marked ```text errors, is what `adit check`
                        prints on stderr (a block that was not given a file is called example.json)
    by=PATH             a ```sh block without prompts that is run somewhere else: in PATH, a file of
                        this repository that holds each of its lines

In expected text `…` stands for anything within a line, and alone on a line for any lines.

A table after the line <!-- columns of: COMMAND --> has the rows that the command prints, cell by cell
(columns stand two blanks apart there); columns of its own may follow.

Each document has a folder of its own: a copy of docs/examples with key files made for it, or an empty
one for a document that writes its own adit.json. Its commands are run there by one shell; `adit` is the program under test. The ports 8080 and 9001 to 9003 are replaced by free
ones everywhere. After a command that ends in & the ports that it names (for `adit run` the ready
line) are waited for. A wrapped example is a route with the variants v1 and canary, and canary-b
where it speaks of that. The last line is "N passed, N failed".
"""
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs/examples"
TIMEOUT_SECONDS = 20
CHECKED = ("adit", "rules", "part", "rule", "when")
SILENT = {"text", "mermaid"}
PORTS = ("8080", "9001", "9002", "9003")


class Failure(Exception):
    """What a document promises and the program does not keep."""


class Block:
    """A fenced block: what it is, what it says, and the line of its first text."""

    def __init__(self, info, lines, line):
        words = info.split()
        self.language = words[0] if words else ""
        self.kind = next((word for word in words[1:] if "=" not in word and word != "bad"), "")
        self.options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        self.bad = "bad" in words[1:]
        self.lines = lines
        self.line = line

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def read_blocks(path):
    """The fenced blocks of a document; one inside a list loses its indentation."""
    blocks, lines, info, start, indent = [], [], None, 0, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"( *)```+(.*)$", line)
        if fence and info is None:
            info, start, indent, lines = fence.group(2).strip(), number + 1, len(fence.group(1)), []
        elif fence:
            blocks.append(Block(info, lines, start))
            info = None
        elif info is not None:
            lines.append(line[indent:] if not line[:indent].strip() else line)
    if info is not None:
        raise Failure(f"the block of line {start} has no end")
    return blocks


def tables(path):
    """Where a table is said to show what a command prints: its line, and the command."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        said = re.match(r"<!-- columns of: (.+) -->$", line)
        if said:
            yield number, said.group(1)


def table_rows(path, line):
    """The cells of the table behind a line, its heading too, without backquotes."""
    rows = []
    for text in path.read_text(encoding="utf-8").splitlines()[line:]:
        if not text.startswith("|"):
            if rows:
                break
        elif not re.match(r"\|[-| :]+\|$", text):
            rows.append([cell.strip().strip("`") for cell in text.strip("|").split("|")])
    return rows


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def expectation(lines):
    """A regular expression for lines of expected text with their `…`."""
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(part.rstrip()) for part in line.split("…")) + r"[ ]*\n")
    return re.compile("".join(parts) + r"\Z")


def compare(expected, got, what):
    if not expectation(expected).match(got):
        raise Failure(f"{what}\n--- the document says\n" + "\n".join(expected) +
                      f"\n--- it is\n{got.rstrip()}")


class Shell:
    """One shell that runs the commands of a document. It tells of their ends on a pipe of its own, as
    what they print may come from the background at any time."""

    def __init__(self, folder, environment):
        self.ends, told = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            pass_fds=[told])
        self.tell = f"status=$?; echo $status >&{told}; (exit $status)"
        os.close(told)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.selector.register(self.ends, selectors.EVENT_READ)
        self.output = ""
        self.status = ""

    def read(self, until, seconds=TIMEOUT_SECONDS):
        """Takes in what is printed until `until` holds. False: it did not in time."""
        deadline = time.monotonic() + seconds
        while not until():
            ready = self.selector.select(max(deadline - time.monotonic(), 0))
            if not ready:
                return False
            for key, _ in ready:
                data = os.read(key.fd, 65536).decode("utf-8", "replace")
                if not data:
                    return until()
                if key.fd == self.ends:
                    self.status += data
                else:
                    self.output += data
        return True

    def run(self, command, expected):
        """Runs one command; what is printed must be `expected`."""
        self.output = self.status = ""
        self.process.stdin.write(f"{command}\n{self.tell}\n".encode())
        self.process.stdin.flush()

        def printed():
            return self.output if self.output[-1:] in ("", "\n") else self.output + "\n"

        if not self.read(lambda: self.status.endswith("\n")):
            raise Failure(f"$ {command}\ndoes not end; so far it printed\n{printed()}")
        if command.rstrip().endswith("&"):
            wait_for_ports(command)
        # What it printed itself is there to be read; a program in the background answers later.
        pattern = expectation(expected)
        self.read(lambda: False, 0)
        self.read(lambda: pattern.match(printed()))
        compare(expected, printed(), f"$ {command}")
        if not expected and self.status != "0\n":
            raise Failure(f"$ {command}\nhas the exit status {self.status.strip()}")

    def close(self):
        """Ends the shell and all that it started (it leads a session of its own)."""
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.stdin.close()
            self.read(lambda: False, 2)  # until all have ended, as a rule
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, BrokenPipeError):
            pass
        self.process.wait()
        self.selector.close()
        os.close(self.ends)
        self.process.stdout.close()


def wait_for_ports(command):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for port in re.findall(r"(?<![\d.])\d{4,5}(?!\d)", command):
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(port)), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure(f"$ {command}\nnobody listens on port {port}") from None
                time.sleep(0.02)


def pieces(lines):
    """The objects of a block: each begins with { at the start of a line."""
    found = []
    for line in lines:
        if line.startswith("{") or not found:
            found.append([])
        found[-1].append(line)
    return ["\n".join(one).rstrip().rstrip(",") for one in found]


def wrap(kind, lines):
    """A complete rule file around an example."""
    text = "\n".join(lines)
    members = ['"route": "example"']
    several = "canary-b" in text
    if '"variants"' not in text:
        third = ', "canary-b": "shop-canary-b"' if several else ""
        members.append('"variants": { "v1": "shop-v1", "canary": "shop-canary"' + third + " }")
        if several and '"canaries"' not in text:
            members.append('"canaries": ["canary", "canary-b"]')
    if kind == "when":
        rules = [f'{{ "id": "example-{i}", "when": {one}\n, "to": "canary" }}'
                 for i, one in enumerate(pieces(lines), 1)]
        members.append('"rules": [' + ",\n".join(rules) + "]")
    elif kind == "rule":
        members.append('"rules": [' + ",\n".join(pieces(lines)) + "]")
    else:
        if re.search(r'^"route"', text, re.M):
            del members[0]
        members.append(text.rstrip().rstrip(","))
    return "{" + ",\n".join(members) + "\n}\n"


def without_comments(text):
    """JSON as Python reads it."""
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)
    text = token.sub(lambda match: match.group(0) if match.group(0)[0] == '"' else " ", text)
    return re.sub(r",(\s*[}\]])", r"\1", text)


def files_named(tree):
    """Every key and token file that an adit.json names."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("file", "token_file") and isinstance(value, str):
                yield value
            else:
                yield from files_named(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from files_named(value)


class Document:
    """One document, its folder and its shell."""

    def __init__(self, path, adit, folder):
        self.path = path
        self.folder = folder
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.rules = None
        self.passed = self.failed = 0
        self.blocks = read_blocks(path)
        if not any(block.options.get("file") == "adit.json" for block in self.blocks):
            shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
        for example in folder.rglob("*.json"):
            self.write(example.relative_to(folder), example.read_text(encoding="utf-8"))
        (folder / ".bin").mkdir()
        (folder / ".bin/adit").symlink_to(adit)
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.lower().endswith("_proxy")}
        self.environment.update(PATH=f"{folder}/.bin:{os.environ['PATH']}", LC_ALL="C.UTF-8",
                                PYTHONUNBUFFERED="1", HOME=str(folder))
        self.shell = Shell(folder, self.environment)

    def with_ports(self, text):
        return re.sub(r"(?<!\d)(" + "|".join(PORTS) + r")(?!\d)",
                      lambda match: self.ports[match.group(1)], text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.with_ports(text), encoding="utf-8")
        if path.name.startswith("adit") and path.suffix == ".json":
            self.make_secrets(text)
        return str(name)

    def make_secrets(self, text):
        for name in files_named(json.loads(without_comments(text))):
            path = self.folder / name
            if not path.exists() and path.parent.is_dir():
                path.touch(mode=0o600)
                path.write_bytes(os.urandom(24).hex().encode() + b"\n")

    def adit(self, *arguments, stdin=""):
        return subprocess.run(["adit", *arguments], cwd=self.folder, env=self.environment,
                              input=stdin, capture_output=True, encoding="utf-8",
                              errors="replace", timeout=TIMEOUT_SECONDS, check=False)

    def check_file(self, block):
        """Writes the example; the arguments of `adit check` for it."""
        name = block.options.get("file", "example.json")
        if block.kind in ("rules", "part"):
            text = block.text if block.kind == "rules" else wrap("part", block.lines)
            self.rules = self.write(name, text)
            return ["-c", "adit.json", name]
        if block.kind != "adit":
            self.write(name, wrap(block.kind, block.lines))
            return ["-c", "adit.json", name]
        name = self.write(block.options.get("file", "adit-example.json"), block.text)
        first = next(iter(json.loads(without_comments(block.text)).get("upstreams", {"v1": 0})))
        self.write("only-v1.json", json.dumps({"route": "only-v1", "variants": {"v1": first}}))
        return ["-c", name, "only-v1.json"]

    def run_checked(self, block, following):
        done = self.adit("check", *self.check_file(block))
        if not block.bad:
            if done.returncode != 0:
                raise Failure(f"adit check does not take it:\n{done.stdout}{done.stderr}")
            return
        if done.returncode != 1:
            raise Failure(f"it should not pass, but adit check says:\n{done.stdout}{done.stderr}")
        if not following or following.kind != "errors":
            raise Failure("a bad example needs a block ```text errors after it")
        compare([self.with_ports(line) for line in following.lines], done.stderr, "adit check")

    def run_requests(self, block):
        if not self.rules:
            raise Failure("there is no rule file above it")
        pairs = [line.split(" => ", 1) for line in block.lines if line.strip()]
        if not all(len(pair) == 2 for pair in pairs):
            raise Failure("each line is REQUEST => DECISION")
        done = self.adit("explain", "-c", "adit.json", "--rules", self.rules, "--batch", "--trace",
                         stdin="\n".join(pair[0] for pair in pairs) + "\n")
        answers = done.stdout.splitlines()
        if len(answers) != len(pairs):
            raise Failure(f"adit explain:\n{done.stdout}{done.stderr}")
        for (request, wanted), answer in zip(pairs, answers):
            got = json.loads(answer)
            for key, value in json.loads(wanted).items():
                if key not in got or got[key] != value:
                    raise Failure(f"{request}\n--- the document says\n{wanted}\n--- it is\n{answer}")

    def run_shell(self, block):
        if "by" in block.options:
            text = (ROOT / block.options["by"]).read_text(encoding="utf-8")
            for line in block.lines:
                command = line.split("#")[0].strip()
                if command and command not in text:
                    raise Failure(f"'{command}' is not in {block.options['by']}")
            return
        if not block.lines or not block.lines[0].startswith("$ "):
            raise Failure("a command begins with '$ '; or say by=PATH where it is run")
        command, expected = None, []
        for line in [*block.lines, "$ "]:
            if command is not None and command.endswith("\\"):
                command += "\n" + line
            elif line.startswith("$ "):
                if command is not None:
                    self.shell.run(self.with_ports(command),
                                   [self.with_ports(one) for one in expected])
                command, expected = line[2:], []
            else:
                expected.append(line)

    def compare_table(self, line, command):
        printed = subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment,
                                 capture_output=True, encoding="utf-8", timeout=TIMEOUT_SECONDS,
                                 check=True).stdout
        expected = [re.split(r"  +", one.strip()) for one in printed.splitlines()]
        rows = table_rows(self.path, line)
        for row, wanted in zip(rows, expected):
            if row[:len(wanted)] != wanted:
                raise Failure(f"the table has {row}, '{command}' prints {wanted}")
        if len(rows) != len(expected):
            raise Failure(f"the table has {len(rows)} rows, '{command}' prints {len(expected)}")
        return True

    def run_block(self, block, following):
        """False: there is nothing to run in it."""
        if block.language in SILENT and "file" not in block.options:
            return False
        if block.language in ("json", "jsonc") and block.kind in CHECKED:
            self.run_checked(block, following)
        elif block.language == "json" and block.kind == "requests":
            self.run_requests(block)
        elif "file" in block.options:
            self.write(block.options["file"], block.text)
        elif block.language == "sh":
            self.run_shell(block)
        else:
            raise Failure(f"'{block.language} {block.kind}' says not how it is run "
                          "(tests/docs/run.py lists the words)")
        return True

    def run(self):
        shown = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        steps = [(block.line, lambda block=block, following=following: self.run_block(block, following))
                 for block, following in zip(self.blocks, [*self.blocks[1:], None])]
        steps += [(line, lambda line=line, command=command: self.compare_table(line, command))
                  for line, command in tables(self.path)]
        for line, step in steps:
            try:
                self.passed += step()
            except (Failure, OSError, ValueError, subprocess.SubprocessError) as problem:
                self.failed += 1
                print(f"FAILED {shown}:{line}: {problem}\n")


def main():
    adit = pathlib.Path(sys.argv[1]).resolve()
    documents = [pathlib.Path(name).resolve() for name in sys.argv[2:]] or [
        path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path.exists()]
    passed = failed = 0
    for path in documents:
        with tempfile.TemporaryDirectory(prefix="adit-docs-") as folder:
            try:
                document = Document(path, adit, pathlib.Path(folder))
            except (Failure, ValueError) as problem:
                failed += 1
                print(f"FAILED {path}: {problem}\n")
                continue
            try:
                document.run()
            finally:
                document.shell.close()
        passed += document.passed
        failed += document.failed
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if len(sys.argv) < 2:
    sys.exit("usage: run.py PATH-OF-ADIT [DOCUMENT…]")
main()
