"""A model for tests: a real HTTP server that speaks the chat-completions protocol, with all its bad days.

What is in `orders` comes first, one per request; after that `always`, then `answers`, by what is asked for. An order is
a status code, (status, headers), raw bytes as the body, or one of

    refusal, content_filter   it does not want to answer        malformed, fenced, schema, markup   what it says is odd
    truncated                 it stops in the middle            empty, no_choices                   it says nothing
    hang, drip, drop, huge    it is a bad server                html                                it is not a model
    no_usage, odd_usage       it does not say what it used      parts                               it answers in parts
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.peers import BAD_DAYS, Clerk, serving

KEY = "sk-open-sesame"
USAGE = {"prompt_tokens": 400, "completion_tokens": 200, "total_tokens": 600}


@dataclass
class Server:
    """What the server says, and what it was asked."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    """By the name of the schema: a JSON answer, or a function that makes it of the request."""
    usage: Any = field(default_factory=lambda: dict(USAGE))
    orders: list[Any] = field(default_factory=list)
    always: Any = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    seconds: float = 0.0
    """How long it thinks."""
    knows: tuple[str, ...] = ("json_schema", "json_object", "text")
    """Forms of answer that it understands."""
    length: str = "max_tokens"

    def environ(self, number: int = 1, **more: str) -> dict[str, str]:
        """The environment in which this server is a model."""
        prefix = "LOTLINE_MODEL" if number == 1 else f"LOTLINE_MODEL_{number}"
        keys = {"URL": self.url, "KEY": KEY, "ID": f"tiny-{number}", "PRICE_IN": "2", "PRICE_OUT": "10"}
        return {f"{prefix}_{key}": value for key, value in (keys | more).items()}


@contextmanager
def running() -> Iterator[Server]:
    """A model for the time of the block."""
    model, lock = Server(), threading.Lock()

    class Desk(Clerk):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                model.asked.append(request)
                model.keys.append(self.headers["Idempotency-Key"])
                order = model.orders.pop(0) if model.orders else model.always
            if self.path != "/v1/chat/completions":
                self.answer(404, {}, b"{}")
            elif self.headers["Authorization"] != f"Bearer {KEY}":
                self.answer(401, {}, b'{"error": {"message": "Incorrect API key provided: sk-secret"}}')
            elif (form := request.get("response_format", {}).get("type", "text")) not in model.knows:
                self.answer(400, {}, b'{"error": {"message": "response_format is not supported"}}')
            elif model.length not in request:
                self.answer(400, {}, b'{"error": {"message": "Unsupported parameter"}}')
            elif order in BAD_DAYS:
                getattr(self, order)()
            elif isinstance(order, bytes):
                self.answer(200, {}, order)
            elif isinstance(order, (int, tuple)):
                status, headers = order if isinstance(order, tuple) else (order, {})
                self.answer(status, headers, b'{"error": {"message": "no"}}')
            elif order == "html":
                self.answer(
                    200, {"Content-Type": "text/html"}, b"<html><body>Sign in to the hotel's Wi-Fi</body></html>"
                )
            else:
                time.sleep(model.seconds)
                reply = self.reply(order, self.said(request, form))
                self.answer(200, {"Content-Type": "application/json"}, json.dumps(reply).encode())

        def said(self, request: dict[str, Any], form: str) -> str:
            name = (
                request["response_format"]["json_schema"]["name"]
                if form == "json_schema"
                else next(iter(model.answers))
            )
            answer = model.answers.get(name, {})
            made: Callable[..., Any] | Any = answer(request) if callable(answer) else answer
            return json.dumps(made)

        def reply(self, order: str | None, text: str) -> dict[str, Any]:
            message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            reply = {"object": "chat.completion", "choices": [choice], "usage": model.usage}
            if order == "refusal":
                message |= {"content": None, "refusal": "I cannot help with that."}
            elif order == "content_filter":
                choice |= {"finish_reason": "content_filter"}
                message |= {"content": ""}
            elif order == "truncated":
                choice |= {"finish_reason": "length"}
                message |= {"content": text[: len(text) // 2]}
            elif order == "malformed":
                message |= {"content": text.replace(":", "=")}
            elif order == "fenced":
                message |= {"content": f"Here you are:\n```json\n{text}\n```\nAnything else?"}
            elif order == "schema":
                message |= {"content": '{"answer": 42}'}
            elif order == "markup":
                message |= {"content": text.replace(" ", " <b>", 1)}
            elif order == "empty":
                message |= {"content": " "}
            elif order == "no_choices":
                reply |= {"choices": []}
            elif order == "no_usage":
                del reply["usage"]
            elif order == "odd_usage":
                reply |= {"usage": {"prompt_tokens": -5, "completion_tokens": 10**15}}
            elif order == "parts":
                message |= {"content": [{"type": "text", "text": text}]}
            return reply

    with serving(Desk) as url:
        model.url = f"{url}/v1"
        yield model
