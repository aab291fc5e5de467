"""`flask import-offers`, `import-sales`: from a CSV file to a client. `flask import-rates`: to the installation."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import click
from sqlalchemy import select

from webapp.access.models import Client
from webapp.audit import services as audit
from webapp.database import tenant, transaction
from webapp.engines import system_engine
from webapp.errors import DomainError, NotFound
from webapp.lib import csv_table
from webapp.lib.text import clean
from webapp.phases import offers_csv, rates_csv
from webapp.phases.offers_csv import OffersFile, Problem
from webapp.providers import files, own_sales, rates
from webapp.providers.files import Kind
from webapp.providers.imports import Tally

SHOWN = 1000
"""So many problems are told one by one."""


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
    _import(context, file, _owner(slug), Kind.OFFERS, source or file.stem, dry_run)


@click.command("import-sales")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--client", "slug", required=True, help="Short name of the client that sold.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.pass_context
def import_sales_command(context: click.Context, file: Path, slug: str, dry_run: bool) -> None:
    """Read the client's own sales from a CSV file: title, price and day, and what else is known of each.

    The exit code is 1 when rows were rejected; all others are written even then.
    """
    _import(context, file, _owner(slug), Kind.SALES, own_sales.SOURCE, dry_run)


@click.command("import-rates")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def import_rates_command(context: click.Context, file: Path) -> None:
    """Read dated exchange rates for the whole installation from a CSV file.

    As the European Central Bank publishes them (eurofxref-hist.csv), or with the columns date, base, quote, rate. The
    exit code is 1 when something was left out; all other rates are written even then.
    """
    try:
        read = rates_csv.parse(csv_table.content(file), datetime.now(UTC))
    except rates_csv.TableError as error:
        raise DomainError(f"{clean(file.name)}: {error}") from None
    with transaction():
        with system_engine().begin() as connection:
            tally = rates.keep(connection, read.rates)
        details = {"file": clean(file.name), "problems": len(read.problems), **vars(tally)}
        audit.record(audit.SYSTEM, "rates_imported", table="exchange_rates", details=details)
    if read.ignored:
        click.echo(f"Columns that were not used: {', '.join(read.ignored)}.")
    for line in _lines(read.problems, len(read.problems)):
        click.echo(line)
    click.echo(
        f"Rates: {tally.inserted} new, {tally.updated} updated, {tally.unchanged} unchanged."
        f" Rows: {read.rows_read} read, {read.rows_rejected} rejected."
    )
    context.exit(1 if read.problems else 0)


def _import(context: click.Context, file: Path, owner: "Owner", kind: Kind, source: str, dry_run: bool) -> None:
    """Read, write, and say what became of each row. Ends the command with its exit code."""
    try:
        found = files.read(kind, csv_table.content(file), datetime.now(UTC), source, owner.currency)
    except offers_csv.TableError as error:
        raise DomainError(f"{clean(file.name)}: {error}") from None
    with tenant(owner.id):
        tally = files.take_in(owner.id, kind, clean(file.name), found, audit.SYSTEM, rehearse=dry_run)
        unrated = files.unrated(found, owner.currency)
    for line in _report(file, found, tally, kind):
        click.echo(line)
    if unrated.rows:
        click.echo(
            f"Rows that do not count until there is an exchange rate into {owner.currency} of their day: {unrated.rows}"
            f" (in {', '.join(unrated.currencies)}). Bring rates in with import-rates, or change the client's currency."
        )
    if dry_run:
        click.echo("This was a dry run: nothing was written.")
    context.exit(1 if found.rows_rejected else 0)


def _owner(slug: str) -> Owner:
    """Asked as the system login: the app's sees no client but its own."""
    with system_engine().connect() as connection:
        row = connection.execute(select(Client.id, Client.currency).where(Client.slug == slug)).one_or_none()
    if row is None:
        raise NotFound(f"There is no client with the short name {slug!r}.")
    return Owner(*row)


def _report(file: Path, read: OffersFile, tally: Tally, kind: Kind) -> Iterator[str]:
    yield f"{clean(file.name)}: {read.rows_read} rows, {read.encoding}, columns separated by {read.delimiter!r}."
    if read.ignored:
        yield f"Columns that were not used: {', '.join(read.ignored)}."
    yield from _lines(read.problems, read.problem_count)
    yield (
        f"{kind.value.capitalize()}: {tally.inserted} new, {tally.updated} updated, {tally.unchanged} unchanged."
        f" Rows: {read.rows_repeated} repeated, {read.rows_rejected} rejected."
    )


def _lines(problems: Iterable[Problem], count: int) -> Iterator[str]:
    shown = list(problems)[:SHOWN]
    yield from (problem.told for problem in shown)
    if count > len(shown):
        yield f"… and {count - len(shown)} more of the kind."
