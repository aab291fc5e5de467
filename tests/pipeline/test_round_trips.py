"""How often a page waits for Postgres, by libpq's own trace of the wire: a trip begins with what is sent after an
answer. Under load each costs more than what it asks for."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import pytest
from sqlalchemy import Pool, event

from tests import factories
from tests.pipeline.conftest import answer_bells
from webapp.database import db
from webapp.live.frames import Span
from webapp.pipeline import live

SENT = "\tF\t"


@contextmanager
def traced() -> Iterator[list[int]]:
    """Adds one number afterwards: the round trips of all connections that were taken meanwhile."""
    with ExitStack() as stack:
        traces: dict[Any, IO[str]] = {}

        def trace(connection: Any, *_rest: Any) -> None:
            wire = connection.pgconn
            if wire not in traces:
                traces[wire] = stack.enter_context(tempfile.TemporaryFile("w+"))
                wire.trace(traces[wire].fileno())

        event.listen(Pool, "checkout", trace)
        counted: list[int] = []
        try:
            yield counted
        finally:
            event.remove(Pool, "checkout", trace)
            for wire in traces:
                wire.untrace()
            counted.append(sum(map(_trips, traces.values())))


def _trips(trace: IO[str]) -> int:
    trace.seek(0)
    sent = [SENT in line for line in trace if line.strip()]
    return sum(now and not before for before, now in zip([False, *sent], sent, strict=False))


def test_each_statement_that_is_asked_alone_is_a_trip(client):
    with traced() as trips:
        for _ in range(3):
            db.session.execute(db.text("SELECT 1"))
        db.session.rollback()
    assert trips[0] in (4, 5), "three, ROLLBACK, and where no tenant is set yet a BEGIN of its own"


@pytest.fixture
def staff(client, sign_in):
    return sign_in(factories.make_member(client, "staff"), client)


@pytest.mark.parametrize(
    ("page", "most"), [("/", 3), ("/?scope=mine", 3), ("/products/{product}", 3), ("/products/{product}/listing", 5)]
)
def test_a_page_waits_for_the_database_a_few_times_however_much_it_shows(staff, make_run, page, most):
    runs = [make_run() for _ in range(12)]
    answer_bells()
    path = page.format(product=runs[0].product_id)
    staff.get(path)  # statements are prepared, once per connection
    with traced() as trips:
        answer = staff.get(path)
    assert answer.status_code == 200
    assert 0 < trips[0] <= most


def test_news_of_ten_streams_are_read_in_one_trip(client, make_run):
    runs = [make_run() for _ in range(10)]
    spans = [Span(run.stream_id, 0, 1) for run in runs]
    live.read(spans)
    with traced() as trips:
        live.read(spans)
    assert trips == [1]
