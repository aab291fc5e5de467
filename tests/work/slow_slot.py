"""`python -m tests.work.slow_slot LANE…`: a slot whose analysis takes two seconds and whose other phases take none."""

import sys

from tests.bench.empty import empty_app
from webapp import logs
from webapp.pipeline.models import PhaseName
from webapp.work import slots

if __name__ == "__main__":
    logs.configure("slow slot")
    app = empty_app()
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.slow"
    slots.run(app, sys.argv[1:])
