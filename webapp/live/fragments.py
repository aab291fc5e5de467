"""Which provider makes the fragments of a topic or of a stream: found by dotted string, loaded when first needed."""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from webapp.live.frames import Provider


class Fragments:
    """The providers of an installation, by the word before a topic's colon, which is a stream's kind as well."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names` maps `run` to `webapp.pipeline.live` and so on."""
        self._names = names

    def of_topic(self, topic: str) -> Provider | None:
        """The provider of `word:rest`, or None if no feature knows the word."""
        word, colon, rest = topic.partition(":")
        return self.of_kind(word) if colon and rest else None

    def of_kind(self, kind: str) -> Provider | None:
        """The provider for streams of this kind, or None."""
        name = self._names.get(kind)
        return _load(name) if name else None

    def all(self) -> list[Provider]:
        """Every provider once."""
        return [_load(name) for name in sorted(set(self._names.values()))]


def _load(name: str) -> Provider:
    return cast(Provider, import_module(name))
