#!/usr/bin/env python3
"""Writes the man page, most of which is what the program says of itself: make.py PATH-OF-ADIT >adit.1

To be run again when a command or an option changes; tests/cli/test_completions.py compares.
"""
import re
import subprocess
import sys

ENTRY = re.compile(r" {2,6}(\S.*?) {2,}(\S.*)$")

HEAD = r'''.\" Written by docs/man/make.py: change that, or the program's help.
.TH ADIT 1 2026-11-28 "adit" "User Commands"
.SH NAME
adit \- HTTP gateway that gives each request to the stable version of a service or to a canary
.SH SYNOPSIS
.B adit
.I COMMAND
.RI [ ARGUMENTS ]
.SH DESCRIPTION
.B adit
stands in front of a service that has a stable version and a canary, and decides per request, from what the request
says, which one answers: by registration time, region, app version, path, cookie, client network, a percentage of
users, or all of these together.
It reads one configuration,
.IR adit.json ,
and one rule file for each route, which say that.
.SH COMMANDS
'''

TAIL = r'''.SH EXIT STATUS
.TP
.B 0
Done; for
.B run
a clean stop.
.TP
.B 1
It could not be done, a file has mistakes, a test failed, or there are differences; each command says what.
.TP
.B 2
The command line is wrong.
.TP
.BR 3 ", " 4
Of
.BR "explain \-\-from\-log" :
the log has another decision; it does not tell enough to make it again.
.SH SIGNALS
.SIGNALS_OF_RUN
.SH FILES
.TP
.I /etc/adit/adit.json
The configuration of the service.
.B adit help config
lists its keys.
.TP
.I /var/lib/adit/state.json
Where the service may keep what operators have overridden
.RI ( state_file ).
.SH EXAMPLES
.TP
.B adit demo
Two small services, the gateway and example rules to try.
.TP
.B adit check \-c adit.json
What is wrong with the files, and whether their tests pass.
.TP
.B adit explain \-c adit.json \-H 'X-User-Id: u-7' http://shop.example.com/
Who answers this request, and why.
.TP
.B adit replay \-c adit.json \-\-new shop.json \-\-max\-moved 5% access.log
Who moves under proposed rules, of the requests of a log; more than 5% are refused.
.TP
.B adit ctl \-c adit.json state shop off
The emergency stop: everybody of the route
.I shop
gets the stable version, at once.
.TP
.B adit ctl \-c adit.json state shop file
The route has the state of its rule file again.
.SH SEE ALSO
.BR systemd (1),
and the documentation:
.I operations.md
(how to run it),
.I rules.md
(the language of rules),
.I cookbook.md
(situations, with the file for each).
'''


def escape(text):
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("^", r"\(ha").replace("~", r"\(ti").replace("`", r"\(ga")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.M)


def quote(text):
    """One argument of a macro."""
    return '"' + escape(text).replace('"', r"\(dq") + '"'


def entries(lines):
    """(term, [text, …]) for a block of options or words."""
    found = []
    for line in lines:
        match = ENTRY.match(line)
        if match:
            found.append((match[1], [match[2]]))
        else:
            found[-1][1].append(line.strip())
    return found


def block(lines):
    if not ENTRY.match(lines[0]):
        return [".PP", *map(escape, lines)]
    made = []
    for term, text in entries(lines):
        made += [".TP", f".B {quote(term)}", *map(escape, text)]
    return made


def blocks(text):
    return [part.splitlines() for part in text.strip("\n").split("\n\n")]


def command_page(name, text):
    usage, summary, *rest = blocks(text)
    page = [f".SS {quote('adit ' + name)}", f".B {quote(usage[0].removeprefix('usage: '))}", ".PP",
            escape(f"{summary[0][0].upper()}{summary[0][1:]}.")]
    for lines in rest:
        page += block(lines)
    return page


def main(adit):
    def said(*arguments):
        return subprocess.run([adit, *arguments], capture_output=True, text=True, check=True).stdout

    listed = blocks(said("help"))[2]
    page = []
    run = said("help", "run")
    for line in listed:
        name = line.split()[0]
        page += command_page(name, said("help", name))
    signals = re.search(r"^Signals: (.*?)\n(?=[A-Z]|$)", run, re.M | re.S)
    tail = TAIL.replace(".SIGNALS_OF_RUN", escape(f"Of a running gateway: {signals[1]}"))
    sys.stdout.write(HEAD + "\n".join(page) + "\n" + tail)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
