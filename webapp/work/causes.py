"""What failures have in common: a key made from what an error says."""

import re

LENGTH = 120
_PARTS = re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\d+(?:[.,:]\d+)*", re.IGNORECASE)


def cause_of(reason: str) -> str:
    """The reason without what differs from case to case: numbers, ids and quoted words.

    "the photo “a.jpg” has 3 pixels" and "the photo “b.jpg” has 4 pixels" are one cause.
    """
    return " ".join(_PARTS.sub("#", reason.lower()).split())[:LENGTH] or "unknown"
