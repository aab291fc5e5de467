"""What the program says, in the reader's language."""

from flask_babel import gettext, ngettext


def _(text: str, **values: object) -> str:
    """The text as the reader's language has it, `%(name)s` filled in. Named so that tools find the texts."""
    return str(gettext(text, **values))


def counted(one: str, many: str, number: int, **values: object) -> str:
    """The text for one or for many, `%(num)s` and other `%(name)s` filled in."""
    return str(ngettext(one, many, number, **values))
