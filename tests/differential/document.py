"""document: docs/differential.md, made of what is written by hand and what was recorded.

reasons.md has the words: an introduction, and a section for each KEY that cases name with `why`. The
tables under them, and the figures, come from the corpus and from recorded.json. So the document can
neither leave out a difference nor explain one that is not there.
"""
import json
import pathlib
import re

from verdict import comparable

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs/differential.md"
RECORDED = HERE / "recorded.json"
REASONS = HERE / "reasons.md"
HEADING = re.compile(r"^## (.*) <!-- ([a-z-]+) -->$", re.M)
OTHERS = ("nginx", "haproxy")


def read_recorded():
    if not RECORDED.exists():
        return {"versions": {}, "verdicts": {}}
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def write_recorded(versions, verdicts):
    """A case in each line."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(seen)}" for name, seen in verdicts.items())
    RECORDED.write_text(f'{{"versions": {json.dumps(versions)},\n "verdicts": {{\n{lines}\n}}}}\n', encoding="utf-8")


def agrees(case, verdicts):
    return all(comparable(verdict) == comparable(case.expected) for verdict in verdicts)


class Comparison:
    """Corpus and records side by side."""

    def __init__(self, cases):
        self.cases = cases
        recorded = read_recorded()
        self.versions = recorded["versions"]
        self.verdicts = recorded["verdicts"]
        introduction, *sections = HEADING.split(REASONS.read_text(encoding="utf-8"))
        self.introduction = introduction
        self.sections = [(title, key, text.strip("\n"))
                         for title, key, text in zip(sections[::3], sections[1::3], sections[2::3])]

    def of(self, case, name):
        return self.verdicts.get(case.name, {}).get(name, [])

    def differs(self, case):
        return not all(agrees(case, self.of(case, name)) for name in OTHERS)

    def problems(self):
        """What is missing in corpus, records and reasons, or too much."""
        names = {case.name for case in self.cases}
        keys = [key for _, key, _ in self.sections]
        for name in sorted(names ^ set(self.verdicts)):
            yield f"recorded.json and the corpus do not both have '{name}': run with --record"
        for case in self.cases:
            if self.differs(case) and case.why not in keys:
                yield f"{case.file}: '{case.name}' differs and no reason says why"
            if case.why and not self.differs(case):
                yield f"{case.file}: '{case.name}' has a reason and does not differ"
        for key in keys:
            if key not in {case.why for case in self.cases}:
                yield f"reasons.md: no case needs '{key}'"


# ---- as Markdown


def code(text):
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", r"\|")


def row(case, comparison):
    def cell(name):
        verdicts = comparison.of(case, name)
        return "same" if agrees(case, verdicts) else " or ".join(code(verdict) for verdict in verdicts)

    words = [case.name, ", ".join(case.rfc), code(case.expected), *(cell(name) for name in OTHERS)]
    return f"| {' | '.join(words)} |"


def figures(comparison):
    """How often, in one table."""
    def count(name, holds):
        return sum(bool(holds(case, comparison.of(case, name))) for case in comparison.cases)

    def breaks(about_origin):
        return lambda case, verdicts: case.is_about_origin == about_origin and "faults" in " ".join(verdicts)

    rows = [
        ("cases in which it does as Adit does", agrees),
        ("cases in which another client does not get its own answer",
         lambda case, verdicts: "!!" in " ".join(verdicts)),
        ("cases in which a request goes to the origin that is not HTTP/1.1 by the letter", breaks(False)),
        ("cases in which a response goes to the client that is not HTTP/1.1 by the letter", breaks(True)),
    ]
    nginx, haproxy = (comparison.versions.get(name, "") for name in OTHERS)
    lines = [f"| of {len(comparison.cases)} cases | nginx {nginx} | HAProxy {haproxy} |", "|---|---|---|"]
    lines += [f"| {title} | {' | '.join(str(count(name, holds)) for name in OTHERS)} |" for title, holds in rows]
    return "\n".join(lines)


def text_of(comparison):
    parts = [comparison.introduction.replace("FIGURES\n", figures(comparison) + "\n").strip("\n")]
    for title, key, prose in comparison.sections:
        rows = [row(case, comparison) for case in comparison.cases if case.why == key]
        parts.append("\n".join([f"## {title}", "", prose, "", "| case | RFC | Adit | nginx | HAProxy |",
                                "|---|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def write(cases):
    DOCUMENT.write_text(text_of(Comparison(cases)), encoding="utf-8")


def problems(cases):
    """What is wrong with records, reasons and document, in words."""
    comparison = Comparison(cases)
    found = list(comparison.problems())
    if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text_of(comparison):
        found.append("docs/differential.md is not what document.py makes: run with --document")
    return found
