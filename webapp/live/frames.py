"""Frames: what a page is told, and the contract of those who write them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID


class Frame(NamedTuple):
    """One piece of a page: a fragment with a stable id, rendered once and sent to all who watch the topic.

    `seq` orders the frames of one `(topic, key)`: a browser never gets one whose `seq` is not above the last it saw.
    A frame that replaces (a run's head, a row) carries the number of the state it shows. A frame that adds (a log
    line) shows exactly one event and carries that event's number, under one key for the whole log: so whoever comes
    in the middle gets each line once.
    """

    topic: str
    key: str
    seq: int
    html: str


class Span(NamedTuple):
    """The events `after_seq + 1` to `seq` of a stream.

    `after_seq` 0 means that what was sent before is unknown: as many of the newest events as a state shows are enough
    then, since what somebody has seen already is dropped.
    """

    stream_id: int
    after_seq: int
    seq: int


class Provider(Protocol):
    """Fragments for one kind of stream, and for the topics on which that kind is shown. A module will do.

    Tenancy is set by the caller: `state` runs under the viewer, `frames` under the stream's client, both in a request
    context. Where a stream's `seq` is read, it is read before what it stands for: a fragment may show more than its
    number says, never less.
    """

    def may_watch(self, viewer: Any, topic: str) -> bool:
        """Whether the viewer may see everything that is ever sent on the topic. Malformed topics: False."""
        ...

    def is_calm(self, topic: str) -> bool:
        """Whether the topic shows so many streams that a few changes a second of each are enough. All its frames
        replace: what a stream went through in between is left out."""
        ...

    def state(self, topic: str) -> Sequence[Frame]:
        """What a fresh socket gets: the topic as it is now.

        It holds a frame for every key under which `frames` may add something, an empty log too (`seq` 0), because the
        numbers given here decide which of the frames that came meanwhile are news.
        """
        ...

    def read(self, spans: Sequence[Span]) -> Mapping[int, Any]:
        """What `frames` needs of these streams of one client, by stream, read together: waiting for the database is
        most of what a frame costs."""
        ...

    def frames(self, span: Span, happened: Any, watched: Callable[[str], bool]) -> Sequence[Frame]:
        """What those who watch get for the events of the span, given what `read` said of its stream.

        Frames of topics that nobody watches are wasted work; `watched(topic)` tells, at one time for calm topics, at
        another for the others. Must not depend on who watches. A stream that is not there gives nothing.
        """
        ...


class Watcher(NamedTuple):
    """Who holds a socket, as far as the live part must know: to count sockets and to end them on revocation."""

    session_id: UUID
    client_id: UUID
    user_id: UUID
