"""`flask fit-calibration --client SLUG`: learn from the decisions at a client's catalogs."""

import click
from sqlalchemy import select

from webapp.access.models import Client
from webapp.audit.services import SYSTEM
from webapp.calibration import services
from webapp.database import reading, tenant
from webapp.engines import system_engine
from webapp.errors import NotFound


@click.command("fit-calibration")
@click.option("--client", "slug", required=True, help="Short name of the client.")
@click.option("--catalog", "name", help="Only the catalog of this name.  [default: each of the client's]")
def fit_calibration_command(slug: str, name: str | None) -> None:
    """Fit the calibrator of each catalog to what people decided there, and use it from now on."""
    with system_engine().connect() as connection:
        client_id = connection.execute(select(Client.id).where(Client.slug == slug)).scalar()
    if client_id is None:
        raise NotFound(f"There is no client with the short name {slug!r}.")
    with tenant(client_id):
        with reading() as session:
            chosen = [each for each in services.catalogs(session) if name in (None, each.name)]
        if not chosen:
            raise NotFound(f"The client has no catalog named {name!r}.")
        for catalog in chosen:
            fitted = services.fit(client_id, catalog.id, user_id=None, actor=SYSTEM)
            click.echo(f"{catalog.name}: {fitted.says}.")
