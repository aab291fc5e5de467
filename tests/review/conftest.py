"""What the tests of reviews, audits and corrections share."""

import pytest
from sqlalchemy import select

from tests import factories
from tests.pipeline.conftest import client  # noqa: F401 - a fixture
from webapp.database import db
from webapp.pipeline.models import Run


@pytest.fixture
def reviewer(client, sign_in):  # noqa: F811
    """A reviewer's browser; `user` says who it is."""
    user = factories.make_member(client, "reviewer")
    browser = sign_in(user, client)
    browser.user = user
    return browser


def latest(product_id):
    """The product's newest run, as it is now."""
    db.session.expire_all()
    return db.session.execute(select(Run).where(Run.product_id == product_id, Run.is_latest)).scalar_one()
