"""One shell for the commands of a document, and comparing what they print with what it says."""
import os
import re
import selectors
import signal
import socket
import subprocess
import time

from markdown import Failure

TIMEOUT_SECONDS = 20
# Said to root only; the documents are for everybody.
FOR_ROOT = re.compile(r"^adit: warning: .*: running as root; .*\n", re.M)


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
            output = self.output if self.output[-1:] in ("", "\n") else self.output + "\n"
            return FOR_ROOT.sub("", output)

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
