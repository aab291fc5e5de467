"""`flask import-offers FILE --client SLUG`: offers from a CSV file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import click
from sqlalchemy import select

from webapp.access.models import Client
from webapp.audit import services as audit
from webapp.database import system_engine, tenant, transaction
from webapp.errors import DomainError, NotFound
from webapp.phases import offers_csv
from webapp.phases.offers_csv import OffersFile, Problem
from webapp.providers.imports import Tally, import_offers


class Rehearsed(Exception):
    """Rolls a dry run back once it is known what it would have done."""


class Owner(NamedTuple):
    """The client that offers are imported for."""

    id: UUID
    currency: str


@click.command("import-offers")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--client", "slug", required=True, help="Short name of the client that the offers are for.")
@click.option("--source", help="Where the offers come from, for rows that do not say.  [default: the file's name]")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.pass_context
def import_offers_command(context: click.Context, file: Path, slug: str, source: str | None, dry_run: bool) -> None:
    """Read offers from a CSV file: title and price, and what else is known of each.

    The exit code is 1 when rows were rejected; all others are written even then.
    """
    owner = _owner(slug)
    try:
        read = offers_csv.parse(file.read_bytes(), datetime.now(UTC), source or file.stem, owner.currency)
    except offers_csv.TableError as error:
        raise DomainError(f"{file.name}: {error}") from None
    try:
        with tenant(owner.id), transaction() as session:
            tally = import_offers(session, owner.id, read.rows)
            audit.record(
                audit.SYSTEM,
                "offers_imported",
                client_id=owner.id,
                table="offers",
                details={"file": file.name, "rejected": read.rows_rejected, **vars(tally)},
            )
            if dry_run:
                raise Rehearsed
    except Rehearsed:
        pass
    for line in _report(file, read, tally):
        click.echo(line)
    if dry_run:
        click.echo("This was a dry run: nothing was written.")
    context.exit(1 if read.rows_rejected else 0)


def _owner(slug: str) -> Owner:
    """Asked as the system login: the app's sees no client but its own."""
    with system_engine().connect() as connection:
        row = connection.execute(select(Client.id, Client.currency).where(Client.slug == slug)).one_or_none()
    if row is None:
        raise NotFound(f"There is no client with the short name {slug!r}.")
    return Owner(*row)


def _report(file: Path, read: OffersFile, tally: Tally) -> Iterator[str]:
    yield f"{file.name}: {read.rows_read} rows, {read.encoding}, columns separated by {read.delimiter!r}."
    if read.ignored:
        yield f"Columns that were not used: {', '.join(read.ignored)}."
    yield from map(_line, read.problems)
    if read.problem_count > len(read.problems):
        yield f"… and {read.problem_count - len(read.problems)} more of the kind."
    yield (
        f"Offers: {tally.inserted} new, {tally.updated} updated, {tally.unchanged} unchanged."
        f" Rows: {read.rows_repeated} repeated, {read.rows_rejected} rejected."
    )


def _line(problem: Problem) -> str:
    place = f"line {problem.line}" + (f", column {problem.column}" if problem.column else "")
    value = f", “{problem.value}”" if problem.value else ""
    return f"{'Rejected' if problem.rejected else 'Note'}: {place}{value}: {problem.says}"
