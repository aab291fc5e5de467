"""Named places at which a test can end the process, as kill -9 would: no handler runs, nothing is flushed.

`LOTLINE_CRASH_AT=claim.after_commit` in a process's environment ends it there, `LOTLINE_CRASH_AT=photo.half_written:3`
when it comes by for the third time. The environment is read once, at the start: nothing that a client sends gets near.
"""

import os
from itertools import count

VARIABLE = "LOTLINE_CRASH_AT"
EXIT_CODE = 86

_name, _, _times = os.environ.get(VARIABLE, "").partition(":")
_passage, _passages = int(_times or 1), count(1)


def crash_point(name: str) -> None:
    """End the process here and now if its environment names this place."""
    if name == _name and next(_passages) == _passage:
        os._exit(EXIT_CODE)
