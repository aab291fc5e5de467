"""The peer of `bench_live`: a bare Starlette socket server on uvicorn that only forwards what Redis tells it."""

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.bench.live_worker import PEER_CHANNEL

viewers: dict[str, set[WebSocket]] = defaultdict(set)


async def live(socket: WebSocket) -> None:
    """One socket, which watches one topic and only listens."""
    topic = socket.query_params["topic"]
    await socket.accept()
    viewers[topic].add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        viewers[topic].discard(socket)


async def _forward() -> None:
    pubsub = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"]).pubsub()
    await pubsub.subscribe(PEER_CHANNEL)
    async for message in pubsub.listen():
        if message["type"] == "message":
            topic, _, text = message["data"].decode().partition(" ")
            for socket in list(viewers[topic]):
                await socket.send_text(text)


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(_forward())
    yield
    task.cancel()


app = Starlette(routes=[WebSocketRoute("/live", live)], lifespan=_lifespan)

if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", ws="websockets-sansio", loop="asyncio"
    )
