#!/usr/bin/env python3
"""Completion in bash, zsh and fish, and the man page, beside the program's help: test_completions.py PATH-OF-ADIT

The last line is "N passed, N failed".
"""
import functools
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "packaging/completions"
PAGE = ROOT / "docs/man/adit.1"
ADIT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
STATES = {"on", "drain", "off", "full", "file"}
FILES = ("adit.json", "rules.json")


@functools.cache
def said(*arguments):
    return subprocess.run([ADIT, *arguments], capture_output=True, text=True, check=True).stdout


# Says what the program says, more quickly than one with sanitizers.
QUICK = """#!/bin/sh
[ "$1" = help ] && cat "${0%/*}/help.$2" 2>/dev/null
"""


def install(directory):
    """A quick program for the completions to ask."""
    (directory / "adit").write_text(QUICK)
    (directory / "adit").chmod(0o755)
    (directory / "help.").write_text(said("help"))
    for command in commands():
        (directory / f"help.{command}").write_text(said("help", command))


def run(command, directory):
    aside = f"{directory}/../aside"
    environment = {**os.environ, "PATH": f"{aside}:{os.environ['PATH']}", "HOME": aside, "XDG_CONFIG_HOME": aside,
                   "XDG_DATA_HOME": aside, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode > 1 or done.stderr:
        raise AssertionError(f"{command}: status {done.returncode}, {done.stderr}")
    return done.stdout


# ---- what each shell offers for words of which the last is being typed


def bash(directory, *words):
    script = (f"source {shlex.quote(str(FOLDER / 'adit.bash'))}\n"
              f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n_adit\n"
              '[ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
    # A word with "=" is three to bash.
    return set(run(["bash", "--norc", "-c", script], directory).split())


# Stands in for what completes in an interactive zsh.
ZSH = """
compadd() { local one; for one; do [[ $one == $words[CURRENT]* ]] && print -r -- $one; done; true }
compset() { words[CURRENT]=${words[CURRENT]#*=} }
_describe() { local one; for one in "${(@P)2}"; do [[ $one == $words[CURRENT]* ]] && print -r -- ${one%%:*}; done; true }
_files() { local one; for one in *(N${1:+/}); do [[ $one == $words[CURRENT]* ]] && print -r -- $one; done; true }
"""


def zsh(directory, *words):
    script = f"{ZSH}words=({shlex.join(words)}) CURRENT={len(words)}\nsource {shlex.quote(str(FOLDER / '_adit'))}"
    return set(run(["zsh", "-f", "-c", script], directory).split())


def fish(directory, *words):
    line = " ".join([*map(shlex.quote, words[:-1]), words[-1]])
    script = f"source {shlex.quote(str(FOLDER / 'adit.fish'))}\ncomplete -C {shlex.quote(line)}"
    return {one.split("\t")[0] for one in run(["fish", "--no-config", "-c", script], directory).splitlines()}


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


# ---- what the program's help says, read in another way than the scripts read it


def commands():
    listed = said("help").partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def options(command):
    """Every word of the help that begins like an option in the place where options are explained."""
    found = set()
    for line in said("help", command).splitlines():
        first = line.strip().split("  ")[0]
        if line.startswith(" ") and first.startswith("-"):
            found |= set(re.findall(r"(?:^|(?<=, ))--?[A-Za-z][a-z-]*", first))
    return found


def ctl_words():
    usage = said("help", "ctl").splitlines()[0]
    return set(usage.rpartition(") ")[2].split(" | "))


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.whole = tempfile.TemporaryDirectory()
        cls.directory = f"{cls.whole.name}/here"
        for name in ("here", "here/folder", "aside"):
            os.mkdir(f"{cls.whole.name}/{name}")
        for name in FILES:
            pathlib.Path(cls.directory, name).touch()
        install(pathlib.Path(cls.whole.name, "aside"))

    @classmethod
    def tearDownClass(cls):
        cls.whole.cleanup()

    def offers(self, expected, *words):
        for shell, complete in SHELLS.items():
            got = {one.rstrip("/") for one in complete(self.directory, "adit", *words)}
            self.assertEqual(got, set(expected), f"{shell}: {words}")

    def test_commands(self):
        self.assertIn("ctl", commands())
        self.offers(commands(), "")
        self.offers({"check"}, "che")
        self.offers({*commands(), "config"}, "help", "")

    def test_options(self):
        self.assertLessEqual({"-c", "--config", "--strict", "--now"}, options("check"))
        for command in commands():
            if options(command):
                self.offers(options(command), command, "-")

    def test_files(self):
        everything = {*FILES, "folder"}
        self.offers(everything, "run", "-c", "")
        self.offers({"adit.json"}, "check", "--config", "ad")
        self.offers(everything, "check", "-c", "adit.json", "")
        self.offers(everything, "test", "")
        self.offers({"folder"}, "import", "ingress-nginx", "-o", "")
        self.offers(everything, "import", "ingress-nginx", "")
        self.offers({"ingress-nginx"}, "import", "")

    def test_nothing(self):
        """Where a word of one's own is wanted."""
        for words in (("check", "--now", ""), ("explain", "-c", "adit.json", "-X", ""), ("run", ""), ("version", ""),
                      ("nonsense", ""), ("nonsense", "-"), ("ctl", "--address", ""), ("ctl", "state", "")):
            self.offers(set(), *words)

    def test_ctl(self):
        self.assertIn("state", ctl_words())
        self.offers(ctl_words(), "ctl", "-c", "adit.json", "")
        self.offers({"status", "state"}, "ctl", "--json", "sta")
        self.offers(STATES, "ctl", "state", "shop", "")
        self.offers({"off"}, "ctl", "-c", "adit.json", "state", "--json", "shop", "of")
        self.offers(set(), "ctl", "state", "shop", "off", "")

    def test_options_of_a_request(self):
        """Of ctl: those that the request takes, and no other; as long as there is none, all."""
        every = options("ctl")
        self.assertLessEqual({"--watch", "--trace", "--json"}, every)
        self.offers(every, "ctl", "--json", "-")
        for word in ctl_words():
            offered = every - ({"--watch"} if word not in ("status", "endpoints") else set()) - ({"--trace"} if word != "explain" else set())
            self.offers(offered, "ctl", "-c", "adit.json", word, "-")
        for word in ctl_words():
            for option in "--watch", "--trace":
                done = subprocess.run([ADIT, "ctl", "--address=127.0.0.1:1", option, word], capture_output=True, text=True,
                                      stdin=subprocess.DEVNULL)
                taken = f"takes no {option}" not in done.stderr
                self.assertEqual(taken, (option, word) in {("--watch", "status"), ("--watch", "endpoints"), ("--trace", "explain")}, done)

    def test_states(self):
        """Each is one that the program takes, and there is no other."""
        told = re.search(r"on, drain, off, full; file takes that back", said("help", "ctl"))
        self.assertTrue(told)
        for state in STATES:
            done = subprocess.run([ADIT, "ctl", "--address=127.0.0.1:1", "state", "shop", state], capture_output=True, text=True)
            self.assertIn("is the gateway running", done.stderr)

    def test_equals_sign(self):
        for shell, words in (("bash", ("--config", "=", "ad")), ("bash", ("--config", "=")), ("zsh", ("--config=ad",)),
                             ("fish", ("--config=ad",))):
            got = SHELLS[shell](self.directory, "adit", "check", *words)
            self.assertIn("adit.json", {one.removeprefix("--config=") for one in got}, shell)


class ManPage(unittest.TestCase):
    """docs/man/adit.1"""

    def test_is_what_the_program_says(self):
        made = subprocess.run([sys.executable, ROOT / "docs/man/make.py", ADIT], capture_output=True, text=True, check=True)
        self.assertEqual(PAGE.read_text().splitlines(), made.stdout.splitlines(), "run docs/man/make.py again")

    def test_names_every_option(self):
        terms = re.findall(r'^\.B "(.*)"$', PAGE.read_text().replace(r"\-", "-"), re.M)
        for command in commands():
            self.assertTrue(any(term.startswith(f"adit {command}") for term in terms), command)
            for option in options(command):
                self.assertTrue(any(re.search(rf"(^|, ){option}( |,|$)", term) for term in terms), (command, option))
        for word in ctl_words():
            self.assertTrue(any(re.match(rf"{word}( |$)", term) for term in terms), word)

    def test_is_well_formed(self):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=0).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
