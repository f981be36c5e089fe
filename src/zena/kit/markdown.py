"""Markdown that people write, as HTML that cannot act: parsed without raw HTML, then cleaned again by an allowlist."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

MAX_SOURCE: Final = 20_000
_MAX_OUTPUT: Final = 400_000
_MAX_NESTING: Final = 20

_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "code": {"class"},
    "td": {"align"},
    "th": {"align"},
}
_SCHEMES: Final = {"http", "https", "mailto"}


def render_markdown(source: str) -> Markup:
    """Return the HTML of a Markdown text. Images only from this site, links with rel, nothing that runs or styles.

    A text over the limit, or one that would swell beyond reason, is shown as it was typed.
    """
    if len(source) > MAX_SOURCE:
        return _plain(source[:MAX_SOURCE])
    html = _parser().render(source)
    if len(html) > _MAX_OUTPUT:
        return _plain(source)
    return Markup(_clean(html))  # noqa: S704 - cleaned by the line itself


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=_SCHEMES,
        link_rel="noopener nofollow",
        strip_comments=True,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Keep an attribute's value or drop it: pictures from here only, no address that inherits our scheme."""
    if tag == "img" and name == "src":
        return value if _own_path(value) else None
    if tag == "a" and name == "href":
        compact = value.replace("\\", "/")
        return None if compact.startswith("//") else value
    if tag == "code" and name == "class":
        return value if value.startswith("language-") and value[9:].replace("-", "").isalnum() else None
    return value


def _own_path(url: str) -> bool:
    return url.startswith("/") and not url.replace("\\", "/").startswith("//")


def _plain(source: str) -> Markup:
    return Markup("<pre>{}</pre>").format(escape(source))


def _link_fits(url: str) -> bool:
    """Tell whether a parsed link may stay one; the cleaner would empty it, this keeps the text as typed."""
    head = url.split(":", 1)[0].lower() if ":" in url.split("/", 1)[0].split("?", 1)[0] else ""
    return (not head or head in _SCHEMES) and not url.replace("\\", "/").startswith("//")


def _image(_: Any, tokens: Sequence[Token], index: int, *__: Any) -> str:
    """Draw a picture of this site; one of another site becomes a link, since loading it would tell who reads here."""
    token = tokens[index]
    source, text = str(token.attrGet("src") or ""), escape(token.content)
    if _own_path(source):
        return str(Markup('<img src="{}" alt="{}">').format(source, token.content))
    return str(Markup('<a href="{}">{}</a>').format(source, text)) if source else str(text)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt(
        "commonmark",
        {"html": False, "linkify": False, "typographer": False, "breaks": True, "maxNesting": _MAX_NESTING},
    ).enable(["table", "strikethrough"])
    parser.validateLink = _link_fits  # type: ignore[method-assign]  # the documented way to narrow it
    parser.add_render_rule("image", _image)
    return parser
