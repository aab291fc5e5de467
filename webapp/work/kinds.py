"""Which code does which kind of work, by dotted string, so that `work` knows no feature and the web loads no engine."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from flask import current_app

CONFIG_KEY = "WORK_KINDS"


@dataclass(frozen=True)
class Kind:
    """`perform`: dotted name of `f(lease) -> None`, which ends by `work.services.finish` or `hold` in one transaction,
    or raises. `failed`: dotted name of `f(session, moved) -> None`, called in the transaction in which the work failed
    for good. `facts`: dotted name of `f(session, work_id)`, asked in the claim's own transaction, which spares one; its
    answer is `lease.facts`. `deadline_seconds`: how long one attempt may take."""

    perform: str
    failed: str
    facts: str = ""
    deadline_seconds: float = 600.0


def find(name: str) -> Kind | None:
    """The kind registered under this name, or None: a newer version may have made work of it."""
    kinds: dict[str, Kind] = current_app.config[CONFIG_KEY]
    return kinds.get(name)


def get(name: str) -> Kind:
    """The kind registered under this name; KeyError where there is none."""
    kind = find(name)
    if kind is None:
        raise KeyError(name)
    return kind


def resolve(dotted: str) -> Callable[..., Any]:
    """The function that a dotted string such as `webapp.pipeline.tasks.run_phase` names."""
    module, _, name = dotted.rpartition(".")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
