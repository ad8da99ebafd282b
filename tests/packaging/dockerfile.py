"""Reads a Dockerfile as far as ours goes: stages, and their steps in order."""
import dataclasses
import re


@dataclasses.dataclass
class Stage:
    base: str
    name: str
    steps: list = dataclasses.field(default_factory=list)  # (INSTRUCTION, what follows it)


def read_dockerfile(path):
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    stages = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        word, _, value = line.partition(" ")
        value = re.sub(r"\s+", " ", value).strip()
        assert word.isupper(), f"{word} is no instruction"
        if word == "FROM":
            base, _, name = value.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            stages[-1].steps.append((word, value))
    return stages
