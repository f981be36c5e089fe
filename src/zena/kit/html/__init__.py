"""HTML answers of handlers: whole pages, fragments, refused forms, redirects.

All are rendered eagerly, inside the handler and so inside its transaction: a page that fails to draw commits nothing.
"""

from zena.kit.html.answers import fragment, page, see_other, told
from zena.kit.html.reader import LOOK_COOKIE, AnyRequest, is_htmx, renderer, view_of
from zena.kit.html.refusals import FormRefused, error_page, refused_form, refusing

__all__ = [
    "LOOK_COOKIE",
    "AnyRequest",
    "FormRefused",
    "error_page",
    "fragment",
    "is_htmx",
    "page",
    "refused_form",
    "refusing",
    "renderer",
    "see_other",
    "told",
    "view_of",
]
