"""`flask import-reference`, `forget-reference`: known products of the whole installation."""

from pathlib import Path

import click

from webapp.audit import services as audit
from webapp.catalog import reference
from webapp.database import transaction
from webapp.engines import system_engine
from webapp.errors import DomainError
from webapp.lib import csv_table
from webapp.lib.text import clean, cut
from webapp.phases import reference_csv

MAX_NAME = 60


@click.command("import-reference")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What people call the catalog.  [default: the file's name]")
@click.pass_context
def import_reference_command(context: click.Context, file: Path, name: str | None) -> None:
    """Read known products for the whole installation from a CSV or TSV file: name, and gtin, brand, model, category.

    Every client's analysis looks them up; nobody sells them. The exit code is 1 when rows were rejected; all others are
    written even then.
    """
    called, file_name = _name(name or file.stem), clean(file.name)
    try:
        found = reference_csv.parse(csv_table.content(file))
    except reference_csv.TableError as error:
        raise DomainError(f"{file_name}: {error}") from None
    # Both are written or neither: what is looked up for everybody stands in the audit log.
    with transaction() as session, system_engine().begin() as connection:
        tally = reference.keep(connection, called, found.rows) if found.rows else reference.Tally()
        details = {"file": file_name, "catalog": called, "rejected": found.rows_rejected, **vars(tally)}
        audit.record(audit.SYSTEM, "reference_imported", table="reference_catalogs", details=details)
        session.flush()
    if found.ignored:
        click.echo(f"Columns that were not used: {', '.join(found.ignored)}.")
    for problem in found.problems:
        click.echo(problem.told)
    if found.problem_count > len(found.problems):
        click.echo(f"… and {found.problem_count - len(found.problems)} more of the kind.")
    click.echo(
        f"Products: {tally.inserted} new, {tally.updated} updated, {tally.unchanged} unchanged; “{called}” has"
        f" {tally.total}. Rows: {found.rows_read} read, {found.rows_repeated} repeated, {found.rows_rejected} rejected."
    )
    context.exit(1 if found.rows_rejected else 0)


@click.command("forget-reference")
@click.argument("name")
def forget_reference_command(name: str) -> None:
    """Remove a reference catalog with all its products. What was found with it stays found."""
    called = _name(name)
    with transaction() as session, system_engine().begin() as connection:
        count = reference.forget(connection, called)
        details = {"catalog": called, "products": count}
        audit.record(audit.SYSTEM, "reference_forgotten", table="reference_catalogs", details=details)
        session.flush()
    click.echo(f"Removed “{called}” with {count} products.")


def _name(raw: str) -> str:
    """What people call a catalog. Raises DomainError where nothing is left of it."""
    called = cut(clean(raw), MAX_NAME)
    if not called:
        raise DomainError("The catalog needs a name: --name.")
    return called
