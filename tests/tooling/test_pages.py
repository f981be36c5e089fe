"""The check of templates, modules and styles finds what the content policy refuses and what is not escaped."""

import pytest

from scripts import pages

BAD = [
    ("a.html", '<p style="color:red">'),
    ("a.html", "<p\n  class='x'\n  style='color:red'>"),
    ("a.html", "<style>p { }</style>"),
    ("a.html", '<button type="button" onclick="go()">'),
    ("a.html", '<button hx-on:click="go()">'),
    ("a.html", "<button hx-vals='js:{a: 1}'>"),
    ("a.html", "<script>go()</script>"),
    ("a.html", "{{ name|safe }}"),
    ("a.html", "{{ name | safe }}"),
    ("a.html", "{% autoescape false %}"),
    ("a.html", '<a href="javascript:go()">'),
    ("a.html", '<script src="https://cdn.example/x.js"></script>'),
    ("a.html", '<img src="//cdn.example/x.png">'),
    ("a.js", "box.innerHTML = text"),
    ("a.js", "box.insertAdjacentHTML('beforeend', text)"),
    ("a.js", "eval(text)"),
    ("a.js", "setTimeout('go()', 1)"),
    ("a.js", 'import x from "https://cdn.example/x.js"'),
    ("a.css", "p { background: url(https://cdn.example/x.png) }"),
    ("a.css", '@import "//cdn.example/x.css";'),
]
GOOD = [
    ("a.html", '<p class="hue-3" data-style="x">{{ name }}</p>'),
    ("a.html", "{# <p style='color:red'> |safe #}"),
    ("a.html", '<script type="module" src="{{ asset("js/app.js") }}" nonce="{{ view.nonce }}"></script>'),
    ("a.html", '<script nonce="{{ view.nonce }}">go()</script>'),
    ("a.html", '<a href="https://docs.example/">{{ _("Manual") }}</a>'),
    ("a.html", '<option value="on" {{ "selected" if on }}>'),
    ("a.js", "box.textContent = text; if (a.innerHTML === b) go(); retrieval(x); setTimeout(() => go(), 1)"),
    ("a.css", "p { background: url(../icons/x.svg) }"),
]


@pytest.mark.parametrize(("path", "text"), BAD)
def test_bad_is_found(path: str, text: str) -> None:
    assert list(pages.look(path, text))


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_good_passes(path: str, text: str) -> None:
    assert list(pages.look(path, text)) == []


def test_the_line_is_told() -> None:
    [(line, _)] = pages.look("a.html", "{# one\ntwo #}\n<p>\n{{ name|safe }}\n")
    assert line == 4
