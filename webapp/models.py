"""All models, for Alembic, create_app and tests only; features import their own."""

from webapp.access import models as access
from webapp.ai import models as ai
from webapp.audit import models as audit
from webapp.catalog import models as catalog
from webapp.failures import models as failures
from webapp.learning import models as learning
from webapp.pipeline import models as pipeline
from webapp.providers import models as providers
from webapp.review import models as review
from webapp.work import models as work

__all__ = ["access", "ai", "audit", "catalog", "failures", "learning", "pipeline", "providers", "review", "work"]
