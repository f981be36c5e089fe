"""The template environment: Jinja with escaping always on, strict about names, bound to one view while it draws."""

import zlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from zena.kit import formats
from zena.kit.assets import Assets
from zena.kit.i18n import Text, translate, translations
from zena.kit.registry import NavItem
from zena.kit.view import View, bind, unbind, view

HUES = 12


class Renderer:
    """The template environment. Names are relative to the template folders; one name in two folders is refused."""

    def __init__(self, folders: Sequence[Path], assets: Assets) -> None:
        _refuse_twins(folders)
        self.assets = assets
        self.env = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=_shown,
        )
        self.env.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]  # by the extension
        self.env.globals.update(asset=assets.url, has_asset=assets.has, view=view, once=self._once)
        self.env.filters.update(_FILTERS)
        self._drawn: dict[tuple[str, str], Markup] = {}  # by template and language: as many as there are of both

    def render(self, template: str, on: View, **context: Any) -> str:
        """Return a template's text, drawn for one view."""
        token = bind(on)
        try:
            return self.env.get_template(template).render(context)
        finally:
            unbind(token)

    def _once(self, template: str) -> Markup:
        """Return a part that is the same for everybody who reads a language: drawn once, and kept."""
        key = (template, view.locale)
        if key not in self._drawn:
            self._drawn[key] = Markup(self.env.get_template(template).render())  # noqa: S704 - drawn by the same rules
        return self._drawn[key]


def hue(of: object) -> int:
    """Return 0..11, always the same for the same person or thing."""
    return zlib.crc32(str(of).encode()) % HUES


def initials(name: str) -> str:
    """Return the first letters of the first and the last word: "Nguyễn Văn An" is NA."""
    words = name.split()
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [name.strip()[:2]]
    return "".join(letters).upper()


def _gettext(message: str) -> str:
    return translations(view.locale).gettext(message)


def _ngettext(one: str, many: str, count: int) -> str:
    return translations(view.locale).ngettext(one, many, count)


def _refuse_twins(folders: Iterable[Path]) -> None:
    seen: dict[str, Path] = {}
    for folder in folders:
        for path in folder.rglob("*.html"):
            name = path.relative_to(folder).as_posix()
            if name in seen:
                raise ValueError(f"template {name} stands in {seen[name]} and in {folder}")
            seen[name] = folder


def _shown(value: Any) -> Any:
    """Translate a sentence that was marked in Python wherever a template prints it."""
    return translate(value, view.locale) if isinstance(value, Text) else value


def _sections(nav: Iterable[tuple[NavItem, bool]]) -> list[tuple[str, list[tuple[NavItem, bool]]]]:
    grouped: dict[str, list[tuple[NavItem, bool]]] = {}
    for item, current in nav:
        grouped.setdefault(item.section, []).append((item, current))
    return list(grouped.items())


def _iso(value: date | datetime | str) -> str:
    return value if isinstance(value, str) else value.isoformat()


def _as_day(value: date | datetime | str) -> date:
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    return value.astimezone(formats.zone(view.timezone)).date() if isinstance(value, datetime) else value


_FILTERS = {
    "t": lambda message: translate(message, view.locale),
    "iso": _iso,
    "ago": lambda at: formats.ago(formats.aware(at), view.now, view.locale, view.timezone),
    "exact": lambda at: formats.exact(formats.aware(at), view.locale, view.timezone),
    "clock": lambda at, seconds=False: formats.clock_time(
        formats.aware(at), view.locale, view.timezone, seconds=seconds
    ),
    "day": lambda value: formats.day(_as_day(value), view.today, view.locale),
    "full_day": lambda value: formats.full_day(_as_day(value), view.locale),
    "weekday": lambda value: formats.weekday(_as_day(value), view.locale),
    "days_until": lambda value: (_as_day(value) - view.today).days,
    "number": lambda value, decimals=None: formats.number(value, view.locale, decimals=decimals),
    "signed": lambda value, decimals=None: formats.signed(value, view.locale, decimals=decimals),
    "percent": lambda value, decimals=0: formats.percent(value, view.locale, decimals=decimals),
    "money": lambda minor, currency=None: formats.money(minor, currency or view.currency, view.locale),
    "short_money": lambda minor, currency=None: formats.short_money(minor, currency or view.currency, view.locale),
    "minutes": lambda value: formats.minutes(value, view.locale),
    "browser": formats.browser,
    "hue": hue,
    "initials": initials,
    "sections": _sections,
}
