"""The models that this installation has, in the order in which they are asked, as its environment says.

    LOTLINE_MODEL_URL           base address, such as https://api.example.com/v1; without it there is no model
    LOTLINE_MODEL_KEY           sent as a bearer token, over https only (or to this machine)
    LOTLINE_MODEL_ID            what the server calls the model
    LOTLINE_MODEL_PRICE_IN      US dollars per million tokens that it reads; 0 for a model of your own
    LOTLINE_MODEL_PRICE_OUT     and per million that it writes
    LOTLINE_MODEL_NAME          what people call it                                    the id
    LOTLINE_MODEL_PHOTO_SIDE    longer side of the photos it is sent, 0: it sees none  1024
    LOTLINE_MODEL_PHOTO_TOKENS  what one photo counts at most                          1500
    LOTLINE_MODEL_SECONDS       how long an answer may take                            60
    LOTLINE_MODEL_PRIVATE       set when its name leads into your own network

The second is LOTLINE_MODEL_2_URL and so on, up to LOTLINE_MODEL_5_URL. LOTLINE_MODEL_HOURS: how long an answer is good
for; within that the same question is not asked again.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from flask import Flask, current_app

from webapp import endpoint as endpoints
from webapp.ai.chat import ChatModel
from webapp.errors import ConfigError
from webapp.work.circuits import Circuit

MOST_MODELS = 5
_PATH = "/chat/completions"
_MAX_BYTES = 256 * 1024
_EXAMPLE = "https://api.example.com/v1"
_KEY = "lotline_models"


def init_app(app: Flask, environ: Mapping[str, str]) -> None:
    """Read what is configured; nothing connects yet.

    Raises:
        ConfigError: a key is wrong; the message names it.
    """
    app.extensions[_KEY] = read(environ)


def configured() -> tuple[ChatModel, ...]:
    """The models, the one to ask first before the others."""
    models: tuple[ChatModel, ...] = current_app.extensions[_KEY]
    return models


def read(environ: Mapping[str, str]) -> tuple[ChatModel, ...]:
    """The models that the environment names. Raises ConfigError."""
    found = (_model(environ, number) for number in range(1, MOST_MODELS + 1))
    return tuple(model for model in found if model is not None)


def _model(environ: Mapping[str, str], number: int) -> ChatModel | None:
    prefix, name = ("LOTLINE_MODEL" if number == 1 else f"LOTLINE_MODEL_{number}"), f"model{number}"
    model = environ.get(f"{prefix}_ID", "").strip()
    endpoint = endpoints.configured(environ, prefix, name, model, _EXAMPLE)
    if endpoint is None:
        return None
    if not model or len(model) > 200 or not model.isprintable():
        raise ConfigError(f"{prefix}_ID must say which model is asked, as its server calls it")
    seconds = float(_number(environ, f"{prefix}_SECONDS", "60", 1, 120))
    url = endpoint.url.rstrip("/")
    return ChatModel(
        endpoint=replace(
            endpoint,
            url=url if url.endswith(_PATH) else url + _PATH,
            read_seconds=seconds,
            total_seconds=seconds,
            max_bytes=_MAX_BYTES,
        ),
        circuit=Circuit(name, endpoint.label, call_seconds=2 * seconds + endpoint.connect_seconds),
        model=model,
        price_in=_number(environ, f"{prefix}_PRICE_IN", "", 0, 10_000),
        price_out=_number(environ, f"{prefix}_PRICE_OUT", "", 0, 10_000),
        photo_side=int(_number(environ, f"{prefix}_PHOTO_SIDE", "1024", 0, 4096)),
        photo_tokens=int(_number(environ, f"{prefix}_PHOTO_TOKENS", "1500", 0, 100_000)),
        hours=float(_number(environ, "LOTLINE_MODEL_HOURS", "720", 0, 100_000)),
    )


def _number(environ: Mapping[str, str], key: str, default: str, least: int, most: int) -> Decimal:
    raw = environ.get(key, "").strip() or default
    if not raw:
        raise ConfigError(f"{key} is not set: say what the model costs per million tokens, 0 if nothing")
    try:
        value = Decimal(raw)
    except InvalidOperation:
        raise ConfigError(f"{key}={raw!r} is not a number") from None
    if not value.is_finite() or not least <= value <= most:
        raise ConfigError(f"{key}={raw!r} is not between {least} and {most}")
    return value
