"""`flask train-matcher`: learn which offers are the same product, from tables or from what reviewers settled."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import select

from webapp.access.models import Client
from webapp.audit.services import SYSTEM
from webapp.database import reading, tenant, transaction
from webapp.engines import system_engine
from webapp.errors import DomainError, NotFound
from webapp.pipeline.matcher_files import path_of

if TYPE_CHECKING:
    from webapp.phases.matching.learning import Learned

# What learns brings numpy, which the web process must not load: it is imported where it is used.


@click.command("train-matcher")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--client", "slug", help="Learn from what this client's reviewers settled, for this client alone.")
def train_matcher_command(folder: Path | None, slug: str | None) -> None:
    """Learn for everybody from FOLDER, or for one client from its reviews.

    FOLDER has tableA.csv, tableB.csv, train.csv and valid.csv (pairs of ids, labelled), or, without tables, train.csv
    and valid.csv with both records in each line (title_left, title_right, label).
    """
    from webapp.phases.matching.learning import TooFewPairs
    from webapp.phases.matching.tables import BadTable
    from webapp.pipeline import matchers

    if (folder is None) == (slug is None):
        raise DomainError("Name either a folder with tables or a client: train-matcher FOLDER, or --client SLUG.")
    try:
        if slug is not None:
            learned, path = _from_reviews(slug)
        else:
            learned = matchers.learn_from_tables(folder or Path())
            path = matchers.keep_for_everybody(learned)
    except (BadTable, TooFewPairs) as error:
        raise DomainError(f"Nothing was learned: {error}.") from None
    figures = learned.figures
    click.echo(f"Learned from {figures['pairs']:.0f} pairs, {figures['same']:.0f} of them the same product: {path}")
    click.echo(f"On records that were held out: F1 {figures['f1']:.1%}, calibration error {figures['ece']:.3f}.")
    if learned.accept is None:
        click.echo("No score was right often enough: nothing will be accepted by it alone.")
    else:
        click.echo(f"Accepted unseen from a probability of {learned.accept:.0%} on.")


def _from_reviews(slug: str) -> "tuple[Learned, Path]":
    from webapp.pipeline import matchers

    with system_engine().connect() as connection:
        client_id = connection.execute(select(Client.id).where(Client.slug == slug)).scalar_one_or_none()
    if client_id is None:
        raise NotFound(f"There is no client with the short name {slug!r}.")
    with tenant(client_id):
        with reading() as session:
            settled = matchers.settled_pairs(session)
        learned = matchers.learn_from_reviews(settled)
        with transaction() as session:
            matchers.keep_own(session, client_id, learned, SYSTEM)
    return learned, path_of(client_id)
