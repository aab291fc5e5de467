"""Who looks at the calibration page."""

import pytest

from tests import factories
from tests.pipeline.conftest import client  # noqa: F401 - a fixture


@pytest.fixture
def admin(client, sign_in):  # noqa: F811
    return sign_in(factories.make_member(client, "admin"), client)


@pytest.fixture
def reviewer(client, sign_in):  # noqa: F811
    return sign_in(factories.make_member(client, "reviewer"), client)
