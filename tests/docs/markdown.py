"""What a document holds: fenced blocks, tables, prose."""
import re


class Failure(Exception):
    """What a document promises and the program does not keep."""


class Block:
    """A fenced block: what it is, what it says, and the line of its first text."""

    def __init__(self, info, lines, line):
        words = info.split()
        self.language = words[0] if words else ""
        self.kind = next((word for word in words[1:] if "=" not in word and word not in ("bad", "found")), "")
        self.options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        self.bad = "bad" in words[1:]
        self.found = "found" in words[1:]
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


def prose(path):
    """A document's text without its fenced blocks, with line numbers."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line
