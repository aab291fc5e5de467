"""`python -m tests.faults.slot LANE…`: a slot with the phases of `tests.faults.phases`."""

import sys

from tests.faults import phases
from webapp import create_app, logs, pulse
from webapp.work import slots

if __name__ == "__main__":
    logs.configure("slot")
    pulse.start()
    app = create_app()
    app.config.update(PHASE_ENGINES=dict(phases.ENGINES), WORK_KINDS=phases.KINDS)
    slots.run(app, sys.argv[1:])
