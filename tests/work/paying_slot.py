"""`python -m tests.work.paying_slot LANE…`: a slot whose market phase pays at the bank of $BANK, as $REPEAT says.

With PAUSE=before or after it stops there for a minute, or PAUSE_SECONDS, between intent and call or between call and
answer.
"""

import os
import sys
import time
import urllib.error
import urllib.request

from tests.bench.empty import ENGINES, empty_app
from webapp import logs
from webapp.errors import ProviderDown, RetryLater
from webapp.phases import facts
from webapp.pipeline import tasks
from webapp.pipeline.models import PhaseName
from webapp.work import slots
from webapp.work.calls import Repeat
from webapp.work.lease import Lease


def pay(key: str) -> dict[str, str]:
    """One payment; what the bank does not answer may have happened or not."""
    if os.environ.get("PAUSE") == "before":
        say("before")
    request = urllib.request.Request(
        f"{os.environ['BANK']}/payments", method="POST", data=b"{}", headers={"Idempotency-Key": key}
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as error:
        raise RetryLater(f"the bank says {error.code}", after_seconds=0.1, not_done=True) from None
    except OSError as error:
        raise ProviderDown(f"the bank does not answer: {error}") from None
    if os.environ.get("PAUSE") == "after":
        say("after")
    return {"paid": key}


def look_up(key: str) -> dict[str, str] | None:
    """What the bank knows of a payment."""
    try:
        urllib.request.urlopen(f"{os.environ['BANK']}/payments/{key}", timeout=5).close()
    except urllib.error.HTTPError:
        return None
    return {"paid": key}


def say(where: str) -> None:
    """Tell the test that we are there, and stay."""
    print(where, flush=True)
    time.sleep(float(os.environ.get("PAUSE_SECONDS") or 60))


def run_phase(lease: Lease) -> None:
    """Phases as they are, but for the payment in the second."""
    if lease.claim.args["event"]["phase"] == "market":
        repeat = Repeat(os.environ["REPEAT"])
        finder = look_up if os.environ.get("LOOKS_UP") else None
        lease.call("payment", {"cents": 100}, pay, repeat=repeat, look_up=finder)
    tasks.run_phase(lease)


if __name__ == "__main__":
    logs.configure("paying slot")
    app = empty_app()
    assert set(app.config["PHASE_ENGINES"]) == set(ENGINES) == set(PhaseName)
    assert facts
    app.config["WORK_KINDS"] = {
        "phase": type(app.config["WORK_KINDS"]["phase"])(
            perform="tests.work.paying_slot.run_phase", failed="webapp.pipeline.outcomes.phase_failed"
        )
    }
    slots.run(app, sys.argv[1:])
