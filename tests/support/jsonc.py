"""JSON with comments and trailing commas, as Adit's files have it."""
import json
import re

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)


def without_comments(text):
    """The same as JSON."""
    text = TOKEN.sub(lambda match: match.group(0) if match.group(0)[0] == '"' else " ", text)
    return re.sub(r",(\s*[}\]])", r"\1", text)


def loads(text):
    return json.loads(without_comments(text))
