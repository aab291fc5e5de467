"""A model that the app is configured with, and a client whose listings it may write."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from tests.ai import chat_server
from tests.pipeline.conftest import client, make_run  # noqa: F401 - fixtures
from webapp.ai import configured
from webapp.database import transaction
from webapp.phases import facts
from webapp.pipeline.models import PhaseName
from webapp.pipeline.tasks import ENGINES

NOTHING = facts.Field()
TEXTS = {
    "title": "Stabilo Point 88 Fineliner",
    "bullets": ["Brand: Stabilo", "A fineliner in condition new"],
    "description": "The Stabilo Point 88 is a fineliner. It is offered in new condition.",
}


def a_pen(photos, hints, reference, report, model=None, **_more):
    """An analysis that is sure of a pen."""
    name = facts.Field(value=hints.name or "Stabilo point 88 fineliner", confidence=100)
    brand = facts.Field(value="Stabilo", confidence=100)
    new = facts.Field(value="new", confidence=100)
    return facts.Analysis(name=name, model=NOTHING, brand=brand, condition=new, gtin=NOTHING, confidence=100)


@pytest.fixture
def model():
    """A server that writes fine listings."""
    with chat_server.running() as server:
        server.answers["listing"] = TEXTS
        yield server


@pytest.fixture
def second():
    """Another one."""
    with chat_server.running() as server:
        server.answers["listing"] = TEXTS | {"title": "Fineliner Stabilo Point 88"}
        yield server


@pytest.fixture
def use_models(app, client, monkeypatch):  # noqa: F811
    """`use_models(environ, seconds=…)`: the app has these models, asked by the real phase 4 for a sure pen."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = f"{__name__}.a_pen"
    app.config["PHASE_ENGINES"][PhaseName.LISTING] = ENGINES[PhaseName.LISTING]

    def use(*environs, seconds=5.0):
        models = configured.read({key: value for environ in environs for key, value in environ.items()})
        for one in models:
            one.endpoint = replace(one.endpoint, read_seconds=seconds, total_seconds=seconds)
        monkeypatch.setitem(app.extensions, "lotline_models", models)
        set_terms(client, budget="5.00")
        return models

    return use


def set_terms(client, budget="5.00", cap="1.00", uses=("analysis", "matching", "listing")):  # noqa: F811
    with transaction() as session:
        session.execute(
            text(
                "UPDATE clients SET model_budget_usd = :budget, model_cap_usd = :cap, model_uses = :uses WHERE id = :id"
            ),
            {"budget": budget, "cap": cap, "uses": list(uses), "id": client.id},
        )
