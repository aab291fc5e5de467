"""`python -m tests.work.slow_slot LANE…`: a slot whose analysis takes two seconds and whose other phases take none.

With DEAF set, the analysis takes a minute and never reports.
"""

import os
import sys

from tests.bench.empty import empty_app
from webapp import logs
from webapp.pipeline.models import PhaseName
from webapp.work import slots

if __name__ == "__main__":
    logs.configure("slow slot")
    app = empty_app()
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = (
        f"tests.pipeline.engines.{'deaf' if os.environ.get('DEAF') else 'slow'}"
    )
    slots.run(app, sys.argv[1:])
