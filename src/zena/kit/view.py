"""What a page knows while it is drawn: who looks, in which language and time zone, and which form was refused."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from zena.kit import formats
from zena.kit.errors import Invalid, Problem
from zena.kit.i18n import translate
from zena.kit.scope import Identity, Scope
from zena.kit.visit import Visit


@dataclass(slots=True)
class FormState:
    """A refused form: what was typed and what is wrong with it. `name` tells several forms on one page apart."""

    problem: Problem
    values: Mapping[str, Any]
    name: str | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    headed: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.problem, Invalid):
            for wrong in self.problem.fields:
                self.errors.setdefault(wrong.path, []).append(wrong.message)

    def typed(self, name: str) -> list[str]:
        """Return what was sent under a name; secrets are never sent back."""
        getall = getattr(self.values, "getall", None)
        found = getall(name, []) if getall else self.values.get(name)
        if found is None:
            return []
        return [v for v in (found if isinstance(found, list | tuple) else [found]) if isinstance(v, str)]

    def left(self) -> list[str]:
        """Return the messages that no field has shown: the head of the form shows them."""
        rest = [m for path, messages in self.errors.items() if path not in self.shown for m in messages]
        return rest if self.errors else [self.problem.detail]


@dataclass(slots=True)
class View:
    """One drawing of a page. Bound for the time of one `render`, which is synchronous."""

    locale: str = "en"
    timezone: str = "UTC"
    currency: str = "VND"
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    path: str = "/"
    query: str = ""
    visit: Visit = field(default_factory=lambda: Visit(request_id=""))
    csrf: str = ""
    websocket: str = ""
    position: int | None = None
    look: frozenset[str] = frozenset()
    flash: str = ""
    notice: str = ""  # what an operator tells everybody: maintenance
    identity: Identity | None = None
    actor: Scope | None = None
    refused: FormState | None = None
    open_form: str | None = None

    @property
    def nonce(self) -> str:
        return self.visit.nonce

    @property
    def today(self) -> date:
        return self.now.astimezone(formats.zone(self.timezone)).date()

    @property
    def theme(self) -> str:
        return next((word for word in ("light", "dark") if word in self.look), "system")

    def may(self, permission: str) -> bool:
        """Tell whether to offer a verb. The action still decides."""
        return self.actor is not None and self.actor.may(permission)

    def channel(self, resource: str, object_id: object = None) -> str:
        """Return the name of a live channel of this tenant; empty where there is no tenant."""
        if self.actor is None:
            return ""
        name = f"tenant:{self.actor.tenant}:{resource}"
        return f"{name}:{object_id}" if object_id else name

    def begin_form(self, name: str | None) -> str:
        """Enter a form: its fields then show what was typed into it when it was refused."""
        self.open_form = name
        return ""

    @property
    def form(self) -> FormState | None:
        """The refused state of the form being drawn, if it is this one."""
        refused = self.refused
        return refused if refused and refused.name == self.open_form else None

    def errors(self, name: str) -> list[str]:
        """Return a field's messages in the page's language and remember that they were shown."""
        if self.form is None:
            return []
        self.form.shown.add(name)
        return [translate(message, self.locale) for message in self.form.errors.get(name, [])]

    def form_errors(self) -> list[str]:
        if self.form is None:
            return []
        self.form.headed = True
        return [translate(message, self.locale) for message in self.form.left()]

    def unsaid(self) -> list[str]:
        """Return the messages of a refused form that neither a field nor a head has shown when the page is drawn."""
        if self.refused is None or self.refused.headed:
            return []
        return [translate(message, self.locale) for message in self.refused.left()]

    def value(self, name: str, fallback: Any = "") -> Any:
        """Return what was typed into a refused form, else the fallback."""
        typed = self.form.typed(name) if self.form else None
        return fallback if typed is None else typed[0] if typed else ""

    def chosen(self, name: str, fallback: Any = None) -> Sequence[str]:
        """Return the chosen values of a select or a group of boxes as strings."""
        if self.form:
            return self.form.typed(name)
        values = fallback if isinstance(fallback, list | tuple | set | frozenset) else [fallback]
        return [str(value) for value in values if value is not None]


_current: ContextVar[View] = ContextVar("view")

bind = _current.set
unbind = _current.reset


class CurrentView:
    """The view being drawn, under one name for templates and for macros imported without a context."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_current.get(), name)


view = CurrentView()
