"""Whether docs/http-conformance.md holds together: every test that it names is there, sections come in
order, and no row is without a test or a reason."""
import functools
import re

from markdown import Failure, prose
from references import ROOT

LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED"}
DEFINITIONS = (("tests/integration", ".py", r"def {}\("), ("tests/unit", ".c", r"START_TEST\({}\)"))
SECTION = r"\d+(?:\.\d+)*"


@functools.lru_cache(maxsize=None)
def text_of(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""


def is_there(test):
    """`file.function` of tests/integration, or of tests/unit."""
    file, function = test.split(".")
    return any(re.search("^" + definition.format(re.escape(function)), text_of(ROOT / folder / (file + suffix)), re.M)
               for folder, suffix, definition in DEFINITIONS)


def number(section):
    return [int(part) for part in section.split(".")]


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def row_problems(cells):
    """What is wrong with one row, but for its place."""
    section, level, _, _, adit, tests = cells
    if not re.fullmatch(SECTION, section):
        yield f"'{section}' is no section"
    if level not in LEVELS:
        yield f"there is no level '{level}'"
    names = re.findall(r"`([^`]*)`", tests)
    for name in names:
        if not re.fullmatch(r"test_\w+\.\w+", name) or not is_there(name):
            yield f"there is no test {name}"
    if not adit:
        yield "it does not say what Adit does"
    if bool(names) == ("*No test:*" in adit):
        yield "it has neither a test nor a reason ('*No test:*') why there is none, or both"


def order_problem(section, before):
    return f"section {section} stands behind {before}" if before and number(section) < number(before) else None


def problems(path):
    """(line, what) of the document."""
    rows = deviations = 0
    claimed = before = None
    for line_number, line in prose(path):
        if re.match(r"## |RFC \d+:", line):
            before = None
        if said := re.search(r"There are (\d+) rows", line):
            claimed = int(said[1])
        item = re.match(rf"- ({SECTION}): ", line)
        cells = cells_of(line) if line.startswith("|") else []
        if not item and (not cells or cells[0] == "section" or set(cells[0]) <= set("-: ")):
            continue
        section = item[1] if item else cells[0]
        if cells:
            if len(cells) != 6:
                yield line_number, f"a row has six cells, this one {len(cells)}"
                continue
            rows += 1
            deviations += cells[4].startswith("**Deviation:**")
            yield from ((line_number, what) for what in row_problems(cells))
        if re.fullmatch(SECTION, section):
            if misplaced := order_problem(section, before):
                yield line_number, misplaced
            before = section
    if claimed != deviations:
        yield 1, f"it speaks of {claimed} deviations and has {deviations}"
    if not rows:
        yield 1, "it has no rows"


def check_conformance(path):
    found = [f"line {line}: {what}" for line, what in problems(path)]
    if found:
        raise Failure("\n".join(found))
