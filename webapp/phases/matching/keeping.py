"""A learned matcher as a file: JSON with the version of its features and a checksum of itself."""

import hashlib

import msgspec

from webapp.phases.matching.header import Kept, UnusableMatcher, content_of
from webapp.phases.matching.learning import Learned


def to_bytes(learned: Learned) -> bytes:
    """The file's content."""
    inner = msgspec.json.encode(learned)
    return msgspec.json.encode(
        Kept(version=learned.version, checksum=hashlib.sha256(inner).hexdigest(), learned=msgspec.Raw(inner))
    )


def from_bytes(data: bytes) -> Learned:
    """The matcher in a file.

    Raises:
        UnusableMatcher: it was learned with features of another version, was changed since, or is no matcher.
    """
    content = content_of(data)
    try:
        return msgspec.json.decode(content, type=Learned)
    except msgspec.DecodeError:
        raise UnusableMatcher("its file holds only a part of a matcher") from None
