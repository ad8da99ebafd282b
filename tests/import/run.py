#!/usr/bin/env python3
"""`adit import ingress-nginx`: run.py ADIT [NAME…], or run.py --write ADIT [NAME…]

NAME.yaml      a manifest; NAME.out is everything that comes of it: what is said on stderr, then each
               file that is written. `adit check` must pass on these files.
NAME.bad.yaml  one that is refused: NAME.bad.out is what is said, and nothing is written.

--write writes the .out files anew, to be read before they are kept.

Then the decisions: random canaries are imported, and random requests decided by the files and by a
model of ingress-nginx (model.py); and manifests that are too large, too deep, or grow when they are
written out, which must end soon, with a message. The last line is "N passed, N failed".
"""

import difflib
import pathlib
import subprocess
import sys
import tempfile

import hostile
import model

FOLDER = pathlib.Path(__file__).resolve().parent
TIMEOUT_SECONDS = 120


class Adit:
    """The program under test."""

    def __init__(self, binary):
        self.binary = str(pathlib.Path(binary).resolve())

    def run(self, *arguments, stdin="", cwd=FOLDER):
        return subprocess.run([self.binary, *map(str, arguments)], cwd=cwd, input=stdin,
                              capture_output=True, encoding="utf-8", errors="replace",
                              timeout=TIMEOUT_SECONDS, check=False)


def show(title, lines):
    print(f"FAILED {title}")
    for line in lines:
        print(f"  {line.rstrip()}")


def written(folder):
    """Every file below a folder, as one text."""
    return "".join(f"==== {path.relative_to(folder)}\n{path.read_text(encoding='utf-8')}"
                   for path in sorted(folder.rglob("*")) if path.is_file())


def check_golden(adit, path, write):
    """One manifest. Returns what is wrong, as lines."""
    bad = path.name.endswith(".bad.yaml")
    with tempfile.TemporaryDirectory(prefix="adit-import-") as name:
        folder = pathlib.Path(name) / "out"
        done = adit.run("import", "ingress-nginx", "-o", folder, path.name)
        got = done.stderr + (written(folder) if folder.exists() else "")
        golden = path.with_suffix(".out")
        if write:
            golden.write_text(got, encoding="utf-8")
        expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
        problems = list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected",
                                             "got", lineterm=""))
        if done.returncode != (1 if bad else 0):
            problems.append(f"exit status {done.returncode}")
        if not bad:
            checked = adit.run("check", "-c", folder / "adit.json")
            if checked.returncode != 0 or " 0 errors" not in checked.stdout:
                problems += ["adit check:", *checked.stderr.splitlines(), checked.stdout]
        elif folder.exists():
            problems.append("something was written")
    return problems


def main():
    write = sys.argv[1:2] == ["--write"]
    arguments = sys.argv[2:] if write else sys.argv[1:]
    if not arguments:
        sys.exit("usage: run.py [--write] PATH-OF-ADIT [NAME…]")
    adit, names = Adit(arguments[0]), arguments[1:]
    cases = [(path.name, lambda path=path: check_golden(adit, path, write))
             for path in sorted(FOLDER.glob("*.yaml"))]
    cases += [(check.__doc__, lambda check=check: check(adit))
              for module in (model, hostile) for check in module.CHECKS]
    passed = failed = 0
    for name, check in cases:
        if names and not any(name.startswith(one) for one in names):
            continue
        problems = check()
        if problems:
            show(name, problems)
        passed += not problems
        failed += bool(problems)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
