"""Fingerprints of structured facts: the same facts give the same sha256 on every machine and in every release."""

import hashlib
import json
from collections.abc import Mapping, Set
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from uuid import UUID

import msgspec


def fingerprint(*facts: object) -> str:
    """The sha256 of the facts, as 64 hexadecimal digits.

    Facts are msgspec structs, mappings, sequences, sets, text, bytes, numbers, decimals, dates, UUIDs, enums, None.
    Equal amounts (`1.5`, `1.50` as decimals) and equal instants (whatever the zone; naive means UTC) are equal facts;
    the order of mappings and sets does not count, that of sequences does. A struct's fields at their default are
    left out, so that a new optional field changes no fingerprint. Other types and NaN raise TypeError or ValueError.
    """
    text = json.dumps(_canonical(facts), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _canonical(fact: object) -> object:
    """JSON in which every value that JSON does not have is a one-key object named by its type."""
    match fact:
        case Enum():
            return _canonical(fact.value)
        case None | bool() | int() | str() | float():
            return fact
        case Decimal():
            if not fact.is_finite():
                raise ValueError("NaN and infinity have no fingerprint")
            return {"$decimal": f"{fact.normalize():f}" if fact else "0"}
        case datetime():
            aware = fact if fact.tzinfo else fact.replace(tzinfo=UTC)
            return {"$at": aware.astimezone(UTC).isoformat()}
        case date():
            return {"$date": fact.isoformat()}
        case UUID():
            return {"$uuid": str(fact)}
        case bytes() | bytearray() | memoryview():
            return {"$bytes": hashlib.sha256(fact).hexdigest()}
        case msgspec.Struct():
            return {"$struct": type(fact).__name__, "fields": _fields(fact)}
        case Mapping() if all(type(key) is str for key in fact):
            return {"$map": {key: _canonical(value) for key, value in fact.items()}}
        case Mapping():
            return {"$pairs": sorted(([_canonical(key), _canonical(value)] for key, value in fact.items()), key=_order)}
        case Set():
            return {"$set": sorted((_canonical(item) for item in fact), key=_order)}
        case list() | tuple():
            return [_canonical(item) for item in fact]
    raise TypeError(f"no fingerprint for {type(fact).__name__}")


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    values = ((name, getattr(struct, name), default) for name, default in _defaults(type(struct)))
    return {name: _canonical(value) for name, value, default in values if value != default}


@cache
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    """The fields of a kind of struct with their defaults; msgspec works them out anew each time. NODEFAULT, which
    equals nothing else, where there is none."""
    return tuple(
        (
            field.name,
            field.default_factory()
            if field.default is msgspec.NODEFAULT and callable(field.default_factory)
            else field.default,
        )
        for field in msgspec.structs.fields(kind)
    )


def _order(item: object) -> str:
    return json.dumps(item, sort_keys=True)
