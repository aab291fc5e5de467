"""What the program says, in the reader's language."""

from flask_babel import gettext


def _(text: str, **values: object) -> str:
    """The text as the reader's language has it, `%(name)s` filled in. Named so that tools find the texts."""
    return str(gettext(text, **values))
