"""The doorbell: Redis tells workers and screens that Postgres has news. It decides nothing.

Losing, doubling or reordering these messages may change latency only. Nothing here raises when Redis is away: the
dispatcher and the renderer's sweep find out from Postgres.
"""

import json
import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)

PERFORM = "webapp.work.tasks.perform"
"""What a slot calls; a string, so that ringing does not import what the work needs."""

EVENTS_CHANNEL = "lotline:events"
WAKE_KEY = "lotline:wake"
_EXTENSION = "lotline_redis"
FORGET_AFTER_SECONDS = 60


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
    """The bells that hang in one queue. Their content is JSON: RQ's default is pickle, and whoever can write to Redis
    would run code as the worker."""
    return Queue(lane, connection=connection or redis(), serializer=JSONSerializer)


def ring(lane: str, due: Iterable[tuple[UUID, int]], connection: "Redis | None" = None) -> None:
    """Tell the slots of `lane` about pieces of work, given as (client id, work id)."""
    try:
        bells(lane, connection).enqueue_many(
            [
                Queue.prepare_data(
                    PERFORM,
                    args=(str(client_id), work_id),
                    timeout=-1,  # the lease and the work's own deadline bound it
                    result_ttl=0,
                    failure_ttl=FORGET_AFTER_SECONDS,
                    description=f"{PERFORM}({work_id})",
                )
                for client_id, work_id in due
            ]
        )
    except RedisError as error:
        log.warning("doorbell_not_rung", extra={"queue": lane, "reason": str(error)})


def publish(messages: Iterable[dict[str, Any]], connection: "Redis | None" = None) -> None:
    """Wake the screens' renderer: `{"client", "stream", "seq"}` per stream with news."""
    try:
        pipe = (connection or redis()).pipeline(transaction=False)
        for message in messages:
            pipe.publish(EVENTS_CHANNEL, json.dumps(message, separators=(",", ":")))
        pipe.execute()
    except RedisError as error:
        log.warning("event_not_published", extra={"reason": str(error)})


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
