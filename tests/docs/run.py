#!/usr/bin/env python3
"""Every example of *.md and docs/**/*.md is run as it stands there: run.py PATH-OF-ADIT [DOCUMENT…]

What stands behind the three backquotes says what a block is:

    ```jsonc adit       a complete adit.json                            must pass `adit check`
    ```jsonc rules      a complete rule file                            must pass `adit check`
    ```jsonc part       members of a rule file, without the braces      … wrapped into one
    ```jsonc rule       one rule or several, each beginning with { at the start of a line
    ```jsonc when       one condition or several, in the same way
    ```json requests    lines `REQUEST => DECISION`, both JSON: under the last `rules` or `part`
                        above it a batch decision has every member of DECISION
    ```sh               `$ ` begins a command (a line that ends in \\ goes on in the next); what
                        follows is its output. No output: it prints nothing and succeeds
    ```text, ```mermaid  prose and pictures: not run

More words may follow on the same line:

    file=NAME           the block is also written to NAME, for the commands and blocks after it. With
                        another language than those above it is only written
    bad                 it must not pass; the next block, marked ```text errors, is what `adit check`
                        prints on stderr (a block that was not given a file is called example.json)
    found               the same, but it passes, with warnings; every other example has none
    names=FILE:ENUM     (```text) names every member of that enum
    steps=FILE:FUNCTION (```text) the calls `name()` that begin its lines are made there in that order
    from=PATH           it is a part of that file of this repository, `…` alone on a line for what is left out
    by=PATH             a ```sh block without prompts that is run somewhere else: in PATH, a file of
                        this repository that holds each of its lines

In expected text `…` stands for anything within a line, and alone on a line for any lines.

Elsewhere, what stands in backquotes as `name()` or as a path of the repository must be there, and so
must what a link leads to, headings included.

The tables of docs/http-conformance.md name tests, which must be there (conformance.py).

A table after the line <!-- columns of: COMMAND --> has the rows that the command prints, cell by cell
(columns stand two blanks apart there); columns of its own may follow.

Each document has a folder of its own: a copy of docs/examples with key files made for it, a copy of
rules/ for a document that shows parts of it (from=rules/…), or an empty one for a document that writes its own adit.json; the databases of tests/support/mmdb.py are in geo/. Its commands are run there by one shell; `adit` is
the program under test. The ports 8080, 9001 to 9003 and 9901 are replaced by free ones everywhere. After a
command that ends in & the ports that it names (for `adit run` the ready line) are waited for. A
wrapped example is a route with the variants v1 and canary, and canary-b where it speaks of that.
The last line is "N passed, N failed".
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from conformance import check_conformance
from markdown import Failure, read_blocks, table_rows, tables
from references import ROOT, broken_references, compare_names, compare_part, compare_steps
from shell import TIMEOUT_SECONDS, Shell, compare

sys.path.insert(0, str(ROOT / "tests/support"))
from ports import hold  # noqa: E402

EXAMPLES = ROOT / "docs/examples"
CHECKED = ("adit", "rules", "part", "rule", "when")
SILENT = {"text", "mermaid"}
PORTS = ("8080", "9001", "9002", "9003", "9901")


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
        self.held = {port: hold() for port in PORTS}
        self.ports = {port: str(held.getsockname()[1]) for port, held in self.held.items()}
        self.rules = None
        self.passed = self.failed = 0
        self.blocks = read_blocks(path)
        if not any(block.options.get("file") == "adit.json" for block in self.blocks):
            shown = any(block.options.get("from", "").startswith("rules/") for block in self.blocks)
            shutil.copytree(ROOT / "rules" if shown else EXAMPLES, folder, dirs_exist_ok=True)
        subprocess.run([sys.executable, ROOT / "tests/support/mmdb.py", folder / "geo"], check=True)
        for example in folder.rglob("*.json"):
            self.write(example.relative_to(folder), example.read_text(encoding="utf-8"))
        (folder / ".bin").mkdir()
        (folder / ".bin/adit").symlink_to(adit)
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.lower().endswith("_proxy")}
        self.environment.update(PATH=f"{folder}/.bin:{os.environ['PATH']}", LC_ALL="C.UTF-8",
                                HOME=str(folder), ADIT_SOURCE_ROOT=str(ROOT))
        self.shell = Shell(folder, self.environment)

    def close(self):
        self.shell.close()
        for held in self.held.values():
            held.close()

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
        shown = block.bad or block.found
        done = self.adit("check", *([] if block.found else ["--strict"]), *self.check_file(block))
        if done.returncode != block.bad:
            raise Failure(f"adit check says:\n{done.stdout}{done.stderr}")
        if not shown:
            return
        if not following or following.kind != "errors":
            raise Failure("such an example needs a block ```text errors after it")
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
        if "names" in block.options or "steps" in block.options:
            (compare_names if "names" in block.options else compare_steps)(block)
            return True
        if "from" in block.options:
            compare_part(block)
            return True
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

    def check_references(self):
        broken = [f"line {line}: {what}" for line, what in broken_references(self.path)]
        if broken:
            raise Failure("\n".join(broken))
        return True

    def check_conformance(self):
        check_conformance(self.path)
        return True

    def run(self):
        shown = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        steps = [(block.line, lambda block=block, following=following: self.run_block(block, following))
                 for block, following in zip(self.blocks, [*self.blocks[1:], None])]
        steps += [(line, lambda line=line, command=command: self.compare_table(line, command))
                  for line, command in tables(self.path)]
        steps.append((1, self.check_references))
        if self.path == ROOT / "docs/http-conformance.md":
            steps.append((1, self.check_conformance))
        for line, step in steps:
            try:
                self.passed += step()
            except (Failure, KeyError, OSError, ValueError, subprocess.SubprocessError) as problem:
                self.failed += 1
                print(f"FAILED {shown}:{line}: {problem}\n")


def main():
    adit = pathlib.Path(sys.argv[1]).resolve()
    documents = [pathlib.Path(name).resolve() for name in sys.argv[2:]] or [
        path for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))) if path.exists()]
    passed = failed = 0
    for path in documents:
        with tempfile.TemporaryDirectory(prefix="adit-docs-") as folder:
            try:
                document = Document(path, adit, pathlib.Path(folder))
            except (Failure, OSError, ValueError) as problem:
                failed += 1
                print(f"FAILED {path}: {problem}\n")
                continue
            try:
                document.run()
            finally:
                document.close()
        passed += document.passed
        failed += document.failed
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if len(sys.argv) < 2:
    sys.exit("usage: run.py PATH-OF-ADIT [DOCUMENT…]")
main()
