"""Templates as the environment compiles them: a line that ends with a block loses its line end, and one that begins
with a block its indentation."""

import re
from pathlib import Path

import pytest

TEMPLATES = sorted((Path(__file__).resolve().parents[2] / "templates").rglob("*.html"))
COMMENT, CODE = re.compile(r"\{#.*?#\}", re.DOTALL), re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
TOUCHING = re.compile(r"\{% end(?:if|for) %\}\n\s*\{%")


def of_same_length(match: re.Match[str]) -> str:
    return "x" * len(match.group())


def run_together(text: str) -> list[str]:
    """Places inside a tag where what one block writes is followed by what the next one writes, with nothing between."""
    text = COMMENT.sub(of_same_length, text)
    bare = CODE.sub(of_same_length, text)
    places = (match.start() for match in TOUCHING.finditer(text))
    return [text[at - 60 : at] for at in places if bare.rfind("<", 0, at) > bare.rfind(">", 0, at)]


def test_such_places_are_found():
    assert run_together("<ol {% if a > 1 %}data-a{% endif %}\n  {% if b %}data-b{% endif %}>")
    assert not run_together("<ol {% if a %}data-a{% endif +%}\n  {% if b %}data-b{% endif %}>")
    assert not run_together("<ol>{% if a %}<li>{% endif %}\n  {% if b %}<li>{% endif %}</ol>")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: "/".join(path.parts[-2:]))
def test_attributes_do_not_run_together(path):
    assert run_together(path.read_text(encoding="utf-8")) == []
