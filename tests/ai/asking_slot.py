"""`python -m tests.ai.asking_slot LANE…`: a slot whose analysis is sure of a pen, and whose phase 4 is the real one."""

import sys

from tests.ai.conftest import a_pen
from tests.bench.empty import empty_app
from webapp import logs
from webapp.pipeline.models import PhaseName
from webapp.pipeline.tasks import ENGINES
from webapp.work import slots

if __name__ == "__main__":
    logs.configure("asking slot")
    app = empty_app()
    app.config["PHASE_ENGINES"] |= {
        PhaseName.ANALYSIS: f"tests.ai.conftest.{a_pen.__name__}",
        PhaseName.LISTING: ENGINES[PhaseName.LISTING],
    }
    slots.run(app, sys.argv[1:])
