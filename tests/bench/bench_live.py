"""From commit to browser, under load, on `make run`'s own stack, beside a bare socket server in the same run.

`make bench-live [SOCKETS=500] [RATE=200] [SECONDS=20] [ROUNDS=3] [PAGES=100] [DESKS=10] [RECONNECTS=1000]`. Ten
browsers watch each run (and DESKS more the desk) while a worker commits RATE events a second through the services
that a slot uses, and PAGES pages a second are read by people who are signed in: of five two are the desk with its 50
rows, two a product's page, one the page for photos. No answer is kept by the readers: each is made and sent whole. The
clock starts when the commit returns, before anybody is told, and stops when the browser's process has the bytes of a
state that holds the event; both read the machine's monotonic clock. All of it shares the machine's cores.

Then RECONNECTS sockets are cut while events go on, and it is counted what never came. Last the same load on the peer:
Starlette on uvicorn, which forwards messages of the same size from Redis.
"""

import os
from typing import Any

from tests.bench import stack as figures
from tests.bench.live_show import PER_RUN, PER_USER, Show, worker
from tests.running import running


def main() -> None:
    sockets, rate = _number("SOCKETS", 500), _number("RATE", 200)
    seconds, rounds, pages = _number("SECONDS", 20), _number("ROUNDS", 3), _number("PAGES", 100)
    with running() as lotline, worker(lotline, sockets // PER_RUN, sockets // PER_USER) as committer:
        show = Show(lotline, committer, _number("DESKS", 10))
        ours = [show.ours(rate, seconds, pages) for _ in range(rounds)]
        again = show.reconnects(_number("RECONNECTS", 1000), rate)
        missing = show.missing()
        show.leave()
        size = ours[0]["bytes_per_delivery"]
        theirs = [show.theirs(rate, seconds, pages, int(size)) for _ in range(rounds)]
    result: dict[str, Any] = {"bench": "live", "sockets": sockets, "cores": os.cpu_count()}
    for key in ours[0]:
        if key == "cpu":
            names = sorted({name for each in ours for name in each["cpu"]})
            shares = {name: figures.median_and_spread([each["cpu"].get(name, 0.0) for each in ours]) for name in names}
            result["cpu_percent"] = {name: round(median, 1) for name, (median, _) in shares.items()}
        else:
            result[key], result[f"{key}_spread"] = figures.median_and_spread([each[key] for each in ours])
    for key in theirs[0]:
        result[f"peer_{key}"], result[f"peer_{key}_spread"] = figures.median_and_spread([each[key] for each in theirs])
    result |= again | missing
    result |= {"hub_kb_per_socket": show.hub_kb_per_socket, "rss_mb": show.memory, "rounds": rounds, "seconds": seconds}
    figures.print_result(**result)


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


if __name__ == "__main__":
    main()
