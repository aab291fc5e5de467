"""What templates would work out anew for each page though it never changes is worked out once, as they are compiled.

A translated word, the address of a file or of a route, a picture of the sprite: calls of these with nothing but
constants become text. A page has hundreds of them, and they were most of its cost. There is one language for all;
where there will be more, each needs an environment of its own.
"""

import re
from typing import Any

import flask_babel
from flask import Flask
from flask.templating import Environment as FlaskEnvironment
from jinja2 import nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup
from werkzeug.routing import BuildError

PICTURES = "_icon.html"
"""The template of macros that depend on nothing but what they are given."""

_INDENT = re.compile(r"\s*\n\s*")


class Environment(FlaskEnvironment):
    """Jinja as Flask sets it up, with constants folded."""

    def _generate(self, source: nodes.Template, name: Any, filename: Any, defer_init: bool = False) -> str:
        if name and name.endswith(".html"):
            source = _Fold(self, name).visit(source)
        return super()._generate(source, name, filename, defer_init)


def init_app(app: Flask) -> None:
    """Use this environment; to be called before anything asks for the app's. Templates' `url_for` gives paths of this
    site only."""
    app.jinja_environment = Environment
    routes = app.url_map.bind("")

    def url_for(endpoint: str, **values: Any) -> str:
        address = routes.build(endpoint, {name: value for name, value in values.items() if value is not None})
        return address.removeprefix("ws://")  # of a socket's route; the page knows its own host and scheme

    app.jinja_env.globals["url_for"] = url_for


def compile_all(app: Flask) -> None:
    """Compile every template now: done at the first page that needs it, that page would take ten times as long."""
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)


class _Fold(NodeTransformer):
    def __init__(self, environment: Environment, name: str) -> None:
        self._environment = environment
        self._pictures: set[str] = set()
        self._is_pictures = name == PICTURES

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:
        if isinstance(node.template, nodes.Const) and node.template.value == PICTURES:
            self._pictures |= {name for name in node.names if isinstance(name, str)}
        return node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:
        """Indentation is for those who read the template."""
        return nodes.TemplateData(_INDENT.sub("\n", node.data), lineno=node.lineno, environment=node.environment)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        called = node.node
        if not isinstance(called, nodes.Name) or node.dyn_args or node.dyn_kwargs:
            return node
        if not all(isinstance(argument, nodes.Const) for argument in node.args):
            return node
        given = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
        if called.name in ("_", "gettext") and len(given) == 1:
            return _translated(node, given[0])
        if not all(isinstance(keyword.value, nodes.Const) for keyword in node.kwargs):
            return node
        named = {keyword.key: keyword.value.value for keyword in node.kwargs if isinstance(keyword.value, nodes.Const)}
        return self._called(node, called.name, given, named)

    def _called(self, node: nodes.Call, name: str, given: list[Any], named: dict[str, Any]) -> nodes.Node:
        known: dict[str, Any] = dict(self._environment.globals)
        if name in self._pictures and not self._is_pictures:
            return _const(node, getattr(self._environment.get_template(PICTURES).module, name)(*given, **named))
        if name == "asset" and not self._environment.auto_reload:  # while files are worked on, addresses change
            return _const(node, known[name](*given, **named))
        if name == "url_for":
            try:
                return _const(node, known[name](*given, **named))
            except BuildError:  # said where the page is made
                return node
        return node


def _translated(node: nodes.Call, text: str) -> nodes.Node:
    """As jinja2.ext.i18n's newstyle gettext: the text is HTML, what is put into it is not."""
    known = Markup(flask_babel.get_translations().ugettext(text))  # noqa: S704 - our own words
    if not node.kwargs:
        return _const(node, known % {})
    pairs = [
        nodes.Pair(nodes.Const(keyword.key), keyword.value, lineno=node.lineno, environment=node.environment)
        for keyword in node.kwargs
    ]
    values = nodes.Dict(pairs, lineno=node.lineno, environment=node.environment)
    return nodes.Mod(_const(node, known), values, lineno=node.lineno, environment=node.environment)


def _const(node: nodes.Node, value: Any) -> nodes.Const:
    return nodes.Const(value, lineno=node.lineno, environment=node.environment)
