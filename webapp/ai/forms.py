"""The form of an answer: its JSON schema for the server, and the check that nothing else comes in."""

import re
from typing import Any

import msgspec

from webapp.phases.facts import Form

_MARKUP = re.compile(r"<[a-z/!?]|&(?:#\d+|#x[0-9a-f]+|[a-z]+\d*);", re.IGNORECASE)
_STRANGE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_LIMITS = ("minLength", "maxLength", "pattern", "minItems", "maxItems", "minimum", "maximum", "title", "description")
MOST_CHARACTERS = 20_000


def schema_of(form: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema in the subset that all servers take: objects closed, every property required, no limits (those are
    in the task, and checked here)."""
    schema = msgspec.json.schema(form)
    definitions = schema.get("$defs", {})
    root = definitions.pop(schema["$ref"].rsplit("/", 1)[1])
    closed: dict[str, Any] = _closed(root)
    return closed | ({"$defs": {name: _closed(part) for name, part in definitions.items()}} if definitions else {})


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items() if key not in (*_LIMITS, "default")}
    if "properties" in schema:
        made["properties"] = {name: _closed(part) for name, part in schema["properties"].items()}
        made |= {"additionalProperties": False, "required": list(schema["properties"])}
    return made


def read(text: str, form: type[Form]) -> Form:
    """The answer in a model's text.

    Raises:
        ValueError: it is not of the form; the message says what is wrong, in words that the model can be told.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError("The answer is too long.")
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("The answer has no JSON object in it.")
    try:
        value = msgspec.json.decode(text[start : end + 1], type=form)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(f"The answer is not of the form asked for: {error}") from error
    for said in _strings(msgspec.to_builtins(value)):
        if _MARKUP.search(said) or _STRANGE.search(said):
            raise ValueError("The answer has markup or control characters in it; plain text is asked for.")
    return value


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [said for part in inner for said in _strings(part)]
