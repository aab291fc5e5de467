"""The doorbell: Redis tells workers and screens that Postgres has news. It decides nothing.

Losing, doubling or reordering these messages may change latency only. Nothing here raises when Redis is away: the
dispatcher and the renderer's sweep find out from Postgres.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry
from rq import Queue

log = logging.getLogger(__name__)

EVENTS_CHANNEL = "lotline:events"
WAKE_KEY = "lotline:wake"
_EXTENSION = "lotline_redis"


def connect(url: str, *, timeout_seconds: float | None = 0.2) -> Redis:
    """A client that gives up fast: redis-py's defaults block a request for seconds when Redis is down."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=0.2,
        retry=Retry(NoBackoff(), 0),
    )


def init_app(app: Flask, url: str) -> None:
    """Prepare the client; it connects on first use."""
    app.extensions[_EXTENSION] = connect(url)


def redis() -> "Redis":
    """The app's fast-failing Redis client."""
    client: Redis = current_app.extensions[_EXTENSION]
    return client


def bells(lane: str, connection: "Redis | None" = None) -> Queue:
    """The bells that hang in one queue; `job_ids` are their texts, for `read_bell`."""
    return Queue(lane, connection=connection or redis())


def front(lane: str) -> str:
    """The lane beside `lane` whose bells its slots answer first."""
    return f"{lane}-front"


def read_bell(bell: str) -> tuple[UUID, int]:
    """The client's and the work's id that a bell names. It is all in RQ's job id: no job is kept beside it, so whoever
    can write to Redis can ring, and nothing else.

    Raises:
        ValueError: it is no bell of ours.
    """
    client_id, _, work_id = bell.rpartition("_")
    return UUID(client_id), int(work_id)


def ring(lane: str, due: Iterable[tuple[UUID, int]], connection: "Redis | None" = None) -> None:
    """Tell the slots of `lane` about pieces of work, given as (client id, work id)."""
    signal({lane: list(due)}, [], connection)


def publish(messages: Iterable[dict[str, Any]], connection: "Redis | None" = None) -> None:
    """Wake the screens' renderer: `{"client", "stream", "seq"}` per stream with news."""
    signal({}, messages, connection)


def signal(
    due: Mapping[str, Sequence[tuple[UUID, int]]],
    messages: Iterable[dict[str, Any]],
    connection: "Redis | None" = None,
) -> bool:
    """`ring` for each lane and `publish`, in one round trip. Whether Redis heard."""
    try:
        connection = connection or redis()
        pipe = connection.pipeline(transaction=False)
        for lane, works in due.items():
            pipe.rpush(bells(lane, connection).key, *(f"{client_id}_{work_id}" for client_id, work_id in works))
        for message in messages:
            pipe.publish(EVENTS_CHANNEL, json.dumps(message, separators=(",", ":")))
        pipe.execute()
    except RedisError as error:
        log.warning("redis_not_told", extra={"queues": list(due), "reason": str(error)})
        return False
    return True


def wake(connection: "Redis | None" = None) -> None:
    """Tell a dispatcher that a slot is free, so that it need not wait for its next round."""
    try:
        pipe = (connection or redis()).pipeline(transaction=False)
        pipe.lpush(WAKE_KEY, "1")
        pipe.ltrim(WAKE_KEY, 0, 0)  # several that nobody heard are one
        pipe.execute()
    except RedisError as error:
        log.debug("dispatcher_not_woken", extra={"reason": str(error)})


def rest(seconds: float, connection: "Redis") -> bool:
    """Wait for `wake`, so long at most. False: Redis is away, and it was not waited."""
    try:
        connection.blpop([WAKE_KEY], timeout=seconds)
    except RedisTimeout:
        return True  # it was waited, by a Redis that hangs
    except RedisError:
        return False
    return True
