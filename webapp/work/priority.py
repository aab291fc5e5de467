"""Who goes first: every priority in use, in one place. A lower number goes first."""

from enum import IntEnum


class Priority(IntEnum):
    """How urgent work is when it becomes ready. Waiting makes it more urgent, up to INTERACTIVE (see
    `webapp.work.dealing`), so that nothing waits for ever; between equals the clients take turns."""

    INTERACTIVE = 1
    """Somebody stands beside it and looks: a single upload."""
    JOB = 5
    """What nobody waits for in front of a screen; the default."""
    AGAIN = 6
    """What was done before: a product that is run again."""
    BULK = 9
    """Many at once: a batch of uploads, samples, the retry of a group of failures."""


MOST_URGENT = min(Priority)
