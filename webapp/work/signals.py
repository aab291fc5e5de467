"""What Redis is told after a commit: whose bells ring and which streams have news, in one round trip."""

from uuid import UUID

from webapp import queue
from webapp.crashpoints import crash_point
from webapp.database import after_commit, db

_PENDING = "pending_signals"


class _Signals:
    def __init__(self) -> None:
        self.bells: dict[str, list[tuple[UUID, int]]] = {}
        self.news: list[dict[str, object]] = []

    def send(self) -> None:
        if self.bells:
            crash_point("bell.before_ring")
        queue.signal(self.bells, self.news)


def ring(lane: str, client_id: UUID, work_id: int) -> None:
    """Ring for a piece of work after the current transaction; not if that rolls back."""
    _pending().bells.setdefault(lane, []).append((client_id, work_id))


def tell(client_id: UUID, stream_id: int, seq: int) -> None:
    """Tell the screens after the current transaction that a stream has news up to `seq`; not if that rolls back."""
    _pending().news.append({"client": str(client_id), "stream": stream_id, "seq": seq})


def _pending() -> _Signals:
    info = db.session().info
    if _PENDING not in info:
        signals = _Signals()
        after_commit(signals.send)
        info[_PENDING] = signals
    pending: _Signals = info[_PENDING]
    return pending
