"""A learned matcher as a file: JSON with the version of its features and a checksum of itself."""

import hashlib

import msgspec

from webapp.phases.facts import Fact
from webapp.phases.matching.features import VERSION
from webapp.phases.matching.learning import Learned


class UnusableMatcher(ValueError):
    """The file holds no matcher that this version of the program can use. `str()` says why and what to do."""


class _Kept(Fact, frozen=True, kw_only=True):
    version: int
    checksum: str
    learned: msgspec.Raw


def to_bytes(learned: Learned) -> bytes:
    """The file's content."""
    inner = msgspec.json.encode(learned)
    return msgspec.json.encode(
        _Kept(version=learned.version, checksum=hashlib.sha256(inner).hexdigest(), learned=msgspec.Raw(inner))
    )


def from_bytes(data: bytes) -> Learned:
    """The matcher in a file.

    Raises:
        UnusableMatcher: it was learned with features of another version, was changed since, or is no matcher.
    """
    try:
        kept = msgspec.json.decode(data, type=_Kept)
        if kept.version != VERSION:
            raise UnusableMatcher(
                f"it was learned with features of version {kept.version}, and this program has version {VERSION};"
                " train it again"
            )
        if hashlib.sha256(bytes(kept.learned)).hexdigest() != kept.checksum:
            raise UnusableMatcher("its content does not fit its checksum: it was changed or cut; train it again")
        return msgspec.json.decode(kept.learned, type=Learned)
    except msgspec.DecodeError as error:
        raise UnusableMatcher(f"it is no learned matcher ({error})") from None
