"""What was made once from the same things need not be made again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, ClassVar


class Kept:
    """Texts by name, each together with what it was made from: it is made anew as soon as that differs.

    Holds `most` characters at most and lets go of what was not asked for longest. For any number of threads; two that
    miss at once both make the text.
    """

    all: ClassVar[list["Kept"]] = []
    """Those of this process, which live as long as it does."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self._hits = self._misses = 0
        self._most = most
        self._size = 0
        self._texts: OrderedDict[Hashable, tuple[Any, str]] = OrderedDict()
        self._lock = threading.Lock()
        self.all.append(self)

    def get(self, name: Hashable, inputs: Any, make: Callable[[], str]) -> str:
        """The text of this name, from `make` unless one from equal inputs is there."""
        found = self._texts.get(name)
        if found is not None and found[0] == inputs:
            self._hits += 1
            with self._lock:
                if name in self._texts:
                    self._texts.move_to_end(name)
            return found[1]
        self._misses += 1
        text = make()
        with self._lock:
            old = self._texts.pop(name, None)
            self._texts[name] = inputs, text
            self._size += len(text) - (len(old[1]) if old else 0)
            while self._size > self._most and len(self._texts) > 1:
                _, (_, gone) = self._texts.popitem(last=False)
                self._size -= len(gone)
        return text

    def take_counts(self) -> tuple[int, int]:
        """How often a text was there, and how often not, since this was last asked; a race may lose a few."""
        counts = self._hits, self._misses
        self._hits -= counts[0]
        self._misses -= counts[1]
        return counts

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._texts.clear()
            self._size = 0
