"""The OpenAI chat-completions protocol, as much of it as servers agree on.

    POST <url>/chat/completions   {"model": …, "messages": […], "response_format": …, "max_tokens": …}
    200  {"choices": [{"message": {"content": "…", "refusal": null}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 12, "completion_tokens": 34}}

What a server answers is read with suspicion: nothing of it is needed but a text.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from webapp.endpoint import Endpoint
from webapp.errors import PermanentError, ProviderDown
from webapp.work.circuits import Circuit

MILLION = 1_000_000
MOST_TOKENS = 1_000_000
"""A server that says it used more than this is not believed."""
ROOM_TOKENS = 200
"""What a server may add around our words."""


@dataclass(frozen=True)
class Chat:
    """One thing to ask. `messages` as the protocol has them; `photos`: how many pictures are in them. `schema`: the
    JSON schema of the answer, `name` what it is called. `max_tokens`: longest answer."""

    messages: tuple[dict[str, Any], ...]
    schema: dict[str, Any]
    name: str
    max_tokens: int
    photos: int = 0


@dataclass(frozen=True)
class Said:
    """What a model said. `problem`: why its text is no answer ('' if it may be one). `counted`: whether it told what it
    used; else the tokens are our upper estimate."""

    text: str
    problem: str
    tokens_in: int
    tokens_out: int
    counted: bool
    duration_ms: int


class _Message(msgspec.Struct):
    content: Any = None
    refusal: Any = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: Any = None


class _Dialect(msgspec.Struct, frozen=True):
    """How a server wants to be told the form and the length of the answer."""

    form: str
    length: str


_DIALECTS = (
    _Dialect("json_schema", "max_tokens"),
    _Dialect("json_schema", "max_completion_tokens"),
    _Dialect("json_object", "max_tokens"),
    _Dialect("text", "max_tokens"),
)
"""Tried in this order while a server says that it does not understand us; the one that works is kept."""
_NOT_UNDERSTOOD = (400, 415, 422)


@dataclass
class ChatModel:
    """A model behind an endpoint. Prices are US dollars per million tokens; `photo_tokens`: what one photo counts at
    most; `photo_side`: its longer side in pixels, 0: the model sees no photos. `hours`: how long an answer is good for.
    """

    endpoint: Endpoint
    circuit: Circuit
    model: str
    price_in: Decimal
    price_out: Decimal
    photo_side: int = 1024
    photo_tokens: int = 1500
    hours: float = 720.0
    _dialect: int = 0
    _is_understood: bool = field(default=False, repr=False)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.endpoint.label

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal:
        """What so many tokens cost, in US dollars."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / MILLION

    def most_tokens_in(self, chat: Chat) -> int:
        """Tokens that the question can count at most: no token is less than a byte of text."""
        texts = [part for message in chat.messages for part in _texts(message["content"])]
        said = sum(len(text.encode()) for text in texts) + len(msgspec.json.encode(chat.schema))
        return said + chat.photos * self.photo_tokens + ROOM_TOKENS

    def complete(self, chat: Chat, idempotency_key: str) -> Said:
        """Ask.

        Raises:
            ProviderDown: it does not answer, or what it says cannot be read.
            PermanentError: it refuses us or the question.
        """
        started = time.monotonic()
        body = self._post(chat, idempotency_key)
        duration_ms = round((time.monotonic() - started) * 1000)
        try:
            reply = msgspec.json.decode(body, type=_Reply)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._unreadable() from error
        if not reply.choices:
            raise self._unreadable()
        text, problem = _read(reply.choices[0])
        used = _usage(reply.usage)
        tokens_in, tokens_out = used or (self.most_tokens_in(chat), chat.max_tokens)
        return Said(text, problem, tokens_in, tokens_out, used is not None, duration_ms)

    def _post(self, chat: Chat, key: str) -> bytes:
        while True:
            dialect = _DIALECTS[self._dialect]
            try:
                body = self.endpoint.post(self._body(chat, dialect), {"Idempotency-Key": key})
            except PermanentError as error:
                is_last = self._dialect + 1 == len(_DIALECTS)
                if self._is_understood or is_last or error.status not in _NOT_UNDERSTOOD:
                    self._dialect = self._dialect if self._is_understood else 0
                    raise
                self._dialect += 1
            else:
                self._is_understood = True
                return body

    def _body(self, chat: Chat, dialect: _Dialect) -> bytes:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": chat.messages,
            "temperature": 0,
            dialect.length: chat.max_tokens,
        }
        if dialect.length == "max_completion_tokens":
            del request["temperature"]  # the models that want this word think first, and take no temperature
        if dialect.form == "json_schema":
            schema = {"name": chat.name, "strict": True, "schema": chat.schema}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif dialect.form == "json_object":
            request["response_format"] = {"type": "json_object"}
        return msgspec.json.encode(request)

    def _unreadable(self) -> ProviderDown:
        says = f"{self.label} does not answer: what it says cannot be read"
        return ProviderDown(says, cause=f"{self.endpoint.name}.unreadable")


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if part["type"] == "text"]


def _read(choice: _Choice) -> tuple[str, str]:
    """The text of an answer, and why it is none."""
    message, finish = choice.message, choice.finish_reason
    text = message.content
    if isinstance(text, list):  # some servers send parts
        text = "".join(part["text"] for part in text if isinstance(part, dict) and isinstance(part.get("text"), str))
    text = text if isinstance(text, str) else ""
    if message.refusal or finish == "content_filter":
        return "", "it refused to answer"
    if finish == "length":
        return text, "its answer was cut off"
    return (text, "") if text.strip() else ("", "its answer was empty")


def _usage(usage: Any) -> tuple[int, int] | None:
    """Tokens in and out as the server counted them; None where that makes no sense."""
    if not isinstance(usage, dict):
        return None
    read, wrote = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(read) is int and type(wrote) is int and 0 <= min(read, wrote) <= max(read, wrote) <= MOST_TOKENS:
        return read, wrote
    return None
