"""What all facts and findings have in common."""

from collections.abc import Callable

import msgspec

Report = Callable[[float, str], None]
"""`report(percent, step)`: says how far a phase is, 0 to 100, and what it is doing, in words a person reads."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts and findings: immutable; each struct repeats kw_only, which msgspec does not inherit."""
