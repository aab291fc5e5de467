"""What was made once from the same things need not be made again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Kept:
    """Texts by name, each together with what it was made from: it is made anew as soon as that differs.

    Holds `most` characters at most and lets go of what was not asked for longest. For any number of threads; two that
    miss at once both make the text.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._texts: OrderedDict[Hashable, tuple[Any, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: Hashable, inputs: Any, make: Callable[[], str]) -> str:
        """The text of this name, from `make` unless one from equal inputs is there."""
        found = self._texts.get(name)
        if found is not None and found[0] == inputs:
            with self._lock:
                if name in self._texts:
                    self._texts.move_to_end(name)
            return found[1]
        text = make()
        with self._lock:
            old = self._texts.pop(name, None)
            self._texts[name] = inputs, text
            self._size += len(text) - (len(old[1]) if old else 0)
            while self._size > self._most and len(self._texts) > 1:
                _, (_, gone) = self._texts.popitem(last=False)
                self._size -= len(gone)
        return text

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._texts.clear()
            self._size = 0
