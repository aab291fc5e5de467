"""The wake-up line: events of streams, and changes of what sessions may do, over Redis pub/sub.

A message here may be lost, doubled or late: the sweep finds every event in Postgres, and sessions are checked again
every few seconds anyway.
"""

import contextlib
import json
import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from webapp import queue

log = logging.getLogger(__name__)

SESSIONS_CHANNEL = "lotline:sessions"
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class StreamChanged:
    """A stream of a client has events up to `seq`."""

    client_id: UUID
    stream_id: int
    seq: int


@dataclass(frozen=True)
class SessionsRevoked:
    """These sessions are over, or may watch something else than before."""

    session_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class Connected:
    """The line is there (again): what was said before was not heard."""


Heard = StreamChanged | SessionsRevoked | Connected


def publish_revoked(session_ids: Collection[UUID], connection: Redis | None = None) -> None:
    """Tell that what these sessions may watch has changed. Says so in the log when Redis is away, and nothing else."""
    try:
        (connection or queue.redis()).publish(SESSIONS_CHANNEL, json.dumps([str(each) for each in session_ids]))
    except RedisError as error:
        log.warning("revocation_not_published", extra={"reason": str(error)})


class Bus:
    """The listening end, for a loop that waits on `fileno` and must never block for long."""

    def __init__(self, client: Redis) -> None:
        """`client` must give up fast: connecting happens in the caller's loop."""
        self._client = client
        self._pubsub: PubSub | None = None
        self._try_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether the line is up, as far as is known."""
        return self._pubsub is not None

    def fileno(self) -> int | None:
        """What to wait on, or None while the line is down."""
        connection = self._pubsub and self._pubsub.connection
        sock = connection and connection._get_socket()
        return sock.fileno() if sock else None

    def read(self) -> Iterator[Heard]:
        """What was said since; connects first if the line is down and it is time to try again."""
        if self._pubsub is None:
            if time.monotonic() < self._try_at or not self._connect():
                return
            yield Connected()
        try:
            while self._pubsub is not None:
                message = self._pubsub.get_message(timeout=0)
                if message is None:
                    return
                if message["type"] == "message":
                    with contextlib.suppress(ValueError, KeyError, TypeError):  # somebody else's message
                        yield _parse(message["channel"], message["data"])
        except (RedisError, OSError) as error:
            self._lose(error)

    def close(self) -> None:
        """Hang up."""
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with contextlib.suppress(RedisError, OSError):
                pubsub.close()

    def _connect(self) -> bool:
        pubsub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        try:
            pubsub.subscribe(queue.EVENTS_CHANNEL, SESSIONS_CHANNEL)
        except (RedisError, OSError) as error:
            self._lose(error)
            return False
        self._pubsub = pubsub
        log.info("bus_connected")
        return True

    def _lose(self, error: Exception) -> None:
        if self._pubsub is not None or not self._try_at:
            log.warning("bus_lost", extra={"reason": str(error)})
        self.close()
        self._try_at = time.monotonic() + RETRY_SECONDS


def _parse(channel: bytes, data: bytes) -> Heard:
    if channel == SESSIONS_CHANNEL.encode():
        return SessionsRevoked(tuple(UUID(each) for each in json.loads(data)))
    said = json.loads(data)
    return StreamChanged(UUID(said["client"]), int(said["stream"]), int(said["seq"]))
