"""`python -m tests.bench.slow LANE…`: a slot whose analysis takes SLOW seconds and whose other phases take none."""

import os
import sys
import time
from collections.abc import Sequence

from tests.bench import empty
from webapp import logs
from webapp.phases import facts
from webapp.pipeline.models import PhaseName
from webapp.work import slots

SLOW_SECONDS = float(os.environ.get("SLOW", "1"))


def analyse(
    photos: Sequence[facts.Photo],
    hints: facts.Hints,
    reference: facts.Reference,
    report: facts.Report,
    **_: object,
) -> facts.Analysis:
    """Takes its time."""
    time.sleep(SLOW_SECONDS)
    return empty.analyse(photos, hints, reference, report)


if __name__ == "__main__":
    logs.configure("slow slot")
    app = empty.empty_app()
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.bench.slow.analyse"
    slots.run(app, sys.argv[1:])
