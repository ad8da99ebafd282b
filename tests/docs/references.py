"""Whether what a document says of the repository is there: names, calls in their order, paths, links."""
import pathlib
import re

from markdown import Failure, prose

ROOT = pathlib.Path(__file__).resolve().parents[2]


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def link_leads_nowhere(path, target):
    if re.match(r"[a-z]+:", target):
        return False
    name, _, anchor = target.partition("#")
    to = (path.parent / name).resolve() if name else path
    if not to.exists():
        return True
    headings = {slug(line.lstrip("#")) for _, line in prose(to) if line.startswith("#")} if anchor else set()
    return bool(anchor) and anchor not in headings


def compare_part(block):
    """A block that shows a part of a file of the repository: its lines stand there, one behind the
    other, however far they are indented; `…` stands for any lines between them."""
    there = [line.strip() for line in (ROOT / block.options["from"]).read_text(encoding="utf-8").splitlines()]
    at, gap = 0, True
    for line in (one.strip() for one in block.lines):
        if line == "…":
            gap = True
            continue
        found = there.index(line, at) if gap and line in there[at:] else at
        if there[found:found + 1] != [line]:
            raise Failure(f"'{line}' does not stand there in {block.options['from']}")
        at, gap = found + 1, False


def code_text():
    patterns = ("src/**/*.[ch]", "include/adit/*.h", "tests/**/*.[chp]*")
    return "\n".join(one.read_text(encoding="utf-8", errors="replace")
                     for pattern in patterns for one in ROOT.glob(pattern) if one.is_file())


def broken_references(path):
    """What a document speaks of and is not there: (line, what)."""
    code = code_text()
    for number, line in prose(path):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if link_leads_nowhere(path, target):
                yield number, f"the link to {target} leads nowhere"
        for name in re.findall(r"`([a-z_0-9]+)\(\)`", line):
            if not re.search(rf"\b{name}\(", code):
                yield number, f"there is no function {name}()"
        for name in re.findall(r"`((?:src|include|tests|docs|rules|docker)/[\w./-]*)`", line):
            if not (ROOT / name).exists():
                yield number, f"there is no {name}"


def braces_of(name, opening):
    """What stands in the braces after `opening` in a file FILE of the repository."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.search(opening, text)
    if not found:
        raise Failure(f"there is no such thing in {name}")
    return text[found.end():text.index("\n}", found.end())]


def compare_names(block):
    name, enum = block.options["names"].split(":")
    members = re.findall(r"^\s*([A-Z][A-Z0-9_]+)", braces_of(name, rf"enum {enum} {{"), re.M)
    missing = [one for one in members if one not in block.text]
    if missing or not members:
        raise Failure(f"the members of {enum} that it leaves out: {missing}")


def compare_steps(block):
    name, function = block.options["steps"].split(":")
    body = braces_of(name, rf"\b{function}\([^;{{}})]*\) {{\n")
    body = body[body.find("while"):]  # the loop
    at = 0
    for step in re.findall(r"^(\w+)\(\)", block.text, re.M):
        found = re.compile(rf"\b{step}\(").search(body, at)
        if not found:
            raise Failure(f"{function}() does not call {step}() where the document says so")
        at = found.end()
