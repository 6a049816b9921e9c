"""Optional: tells hoop which crew, agent and task a request or a statement belongs to.

    import hoop_listener        # anywhere before the crew starts; nothing else changes

Without it everything works, and the gateway links statements to the model's answers all the same. With it, requests to
the model carry a `baggage` header (W3C) with `crew`, `agent` and `task`, and new PostgreSQL connections say
`application_name=CREW/AGENT`. Names are labels for people: the gateway shows and records them, and decides nothing by
them, since a program can say anything of itself.
"""

import os
import threading
from urllib.parse import quote

from crewai.events import (
    AgentExecutionStartedEvent,
    BaseEventListener,
    CrewKickoffStartedEvent,
    TaskStartedEvent,
)

_names: dict[str, str] = {}
_lock = threading.Lock()
_LONGEST = 64


def _plain(name: object) -> str:
    return " ".join(str(name or "").split())[:_LONGEST]


def _set(**names: object) -> None:
    with _lock:
        _names.update({key: _plain(value) for key, value in names.items() if value})
        words = [_names[key] for key in ("crew", "agent") if key in _names]
        # libpq and every driver on top of it read this one.
        os.environ["PGAPPNAME"] = "/".join(words)[:_LONGEST]


def baggage() -> str:
    """The names as a W3C baggage header."""
    with _lock:
        return ",".join(f"{key}={quote(value)}" for key, value in _names.items())


class HoopListener(BaseEventListener):
    """Notes who is at work."""

    def setup_listeners(self, bus):
        @bus.on(CrewKickoffStartedEvent)
        def _crew(_source, event):
            _set(crew=event.crew_name)

        @bus.on(TaskStartedEvent)
        def _task(_source, event):
            # Not its description, which is part of the prompt and may hold anything.
            _set(task=getattr(event.task, "name", None))

        @bus.on(AgentExecutionStartedEvent)
        def _agent(_source, event):
            _set(agent=event.agent.role)


def _add_header_to_requests() -> None:
    """Every client of OpenAI's and Anthropic's libraries, and of litellm, sends through httpx."""
    import httpx

    def sending(send):
        def wrapped(self, request, *args, **kwargs):
            names = baggage()
            if names and "baggage" not in request.headers:
                request.headers["baggage"] = names
            return send(self, request, *args, **kwargs)

        return wrapped

    httpx.Client.send = sending(httpx.Client.send)
    httpx.AsyncClient.send = sending(httpx.AsyncClient.send)


_add_header_to_requests()
listener = HoopListener()
