"""What a learned matcher's file tells of itself, read without numpy: the web process shows it and judges nothing."""

import hashlib
from datetime import datetime

import msgspec

from webapp.phases.facts import Fact

VERSION = 3
"""Of what the features mean: a matcher is worth nothing to a program whose features mean something else."""
LEAST_OF_EACH = 20
"""Pairs of the same product, and of different ones, without which nothing is learned."""
LEAST_RECORDS = 10
"""Records of ours that those pairs are of: what holds for one product need not hold for the next."""


_NONE = "its file holds no matcher"


class UnusableMatcher(ValueError):
    """The file holds no matcher that this version of the program can use. `str()` says why, in words for everybody."""


class Kept(Fact, frozen=True, kw_only=True):
    """The file: the matcher as it was encoded, and what shows that it is whole."""

    version: int
    checksum: str
    learned: msgspec.Raw


class Reached(Fact, frozen=True, kw_only=True):
    """How well it does on records that were held out, and how many pairs there were, how many of them `same`."""

    pairs: float
    same: float
    f1: float
    ece: float


class Header(Fact, frozen=True, kw_only=True):
    """The part of `learning.Learned` that people are told; the rest of it is left unread."""

    version: int
    source: str
    learned_at: datetime
    accept: float | None
    figures: Reached


def content_of(data: bytes) -> msgspec.Raw:
    """The matcher in a file, still encoded.

    Raises:
        UnusableMatcher: it was learned with features of another version, was changed since, or is no matcher.
    """
    try:
        kept = msgspec.json.decode(data, type=Kept)
    except msgspec.DecodeError:
        raise UnusableMatcher(_NONE) from None
    if kept.version != VERSION:
        raise UnusableMatcher(f"it was learned by another version of Lotline (features {kept.version}, here {VERSION})")
    if hashlib.sha256(bytes(kept.learned)).hexdigest() != kept.checksum:
        raise UnusableMatcher("its file was changed or cut since (it does not fit its checksum)")
    return kept.learned


def header_of(data: bytes) -> Header:
    """What a file tells of the matcher in it.

    Raises:
        UnusableMatcher: as `content_of`.
    """
    try:
        return msgspec.json.decode(content_of(data), type=Header)
    except msgspec.DecodeError:
        raise UnusableMatcher(_NONE) from None
