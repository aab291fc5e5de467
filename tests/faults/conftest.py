"""Runs with phases that do nothing, as the pipeline's own tests have them."""

from tests.pipeline.conftest import client, make_run

__all__ = ["client", "make_run"]
