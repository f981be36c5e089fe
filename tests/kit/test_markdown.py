"""Markdown of strangers becomes text that does nothing."""

import gc
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zena.kit.markdown import MAX_SOURCE, render_markdown

ALLOWED_ATTRIBUTES = {"href", "title", "rel", "src", "alt", "start", "class", "align"}


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags_of(source: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(str(render_markdown(source)))
    return reader.tags


def assert_harmless(source: str) -> None:
    for tag, attributes in tags_of(source):
        assert tag not in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "form",
            "input",
            "svg",
            "math",
            "base",
            "meta",
            "link",
        }
        assert not attributes.keys() - ALLOWED_ATTRIBUTES, attributes
        link = (attributes.get("href") or "").replace("\\", "/").lower().strip()
        assert not link.startswith(("//", "javascript:", "data:", "vbscript:", "file:"))
        if tag == "img":
            assert (attributes.get("src") or "").startswith("/")
            assert not (attributes.get("src") or "").startswith("//")


CORPUS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))", "[x](&#106;avascript:alert(1))", "[x](java\nscript:alert(1))", "[x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)", "[x](//evil.test)", "[x](\\\\evil.test)", "[x](/\\evil.test)",
    "[x]( javascript:alert(1))", "[x](<javascript:alert(1)>)", "<javascript:alert(1)>", "![x](http://evil.test/p.png)",
    "![x](//evil.test/p.png)", "![x](\\\\evil.test/p.png)", "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](javascript:alert(1))",
    '[x](https://a.test "\\" onmouseover=alert(1) x=\\"")', "[x][r]\n\n[r]: javascript:alert(1)",
    "<!--<img src=x onerror=1>-->",
    "```html\n<script>alert(1)</script>\n```", "`<script>`", "<a href=x onclick=1>x</a>",
    "<style>*{x:expression(1)}</style>",
    "| <img src=x onerror=1> |\n|-|\n| [x](javascript:1) |", '```"onmouseover="x\nx\n```',
    '<math><mi//xlink:href="data:x">',
    "[![x](http://evil.test/a.png)](javascript:1)", "<iframe srcdoc='<script>'>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '![a](/x" onerror="alert(1))', "[x](file:///etc/passwd)", "[x](https://a.test/<script>)",
]  # fmt: skip


@pytest.mark.parametrize("source", CORPUS)
def test_D02_corpus(source: str) -> None:
    assert_harmless(source)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*CORPUS, "[", "]", "(", ")", "<", ">", '"', "'", "`", "*", "\n", " ", "\\", "&#x6a;", "![", "|"]
        ),
        max_size=12,
    )
)
def test_D02_mixtures(parts: list[str]) -> None:
    assert_harmless("".join(parts))


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("**a** _b_ ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>"),
        ("[x](https://a.test/b)", '<p><a href="https://a.test/b" rel="noopener nofollow">x</a></p>'),
        ("[x](/projects/P1)", '<p><a href="/projects/P1" rel="noopener nofollow">x</a></p>'),
        ("[x](mailto:a@b.co)", '<p><a href="mailto:a@b.co" rel="noopener nofollow">x</a></p>'),
        ("![plan](/files/1)", '<p><img src="/files/1" alt="plan"></p>'),
        ("![plan](https://a.test/1.png)", '<p><a href="https://a.test/1.png" rel="noopener nofollow">plan</a></p>'),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>"),
    ],
)
def test_what_people_use_it_for(source: str, html: str) -> None:
    assert render_markdown(source).strip() == html


def test_H04_too_long_is_shown_as_typed() -> None:
    assert str(render_markdown("<b>" + "*" * MAX_SOURCE)).startswith("<pre>&lt;b&gt;***")


@pytest.mark.parametrize(
    "unit",
    ["[", "![", "*a ", "_a", "**a*", "> ", "`a", "- ", "|a", "[a](", "<a", "*_", "~~a", "a|b\n-|-\n", "[x][", "&#1;"],
)
def test_H04_time_grows_no_faster_than_the_text(unit: str) -> None:
    def seconds(size: int) -> float:
        source, best = (unit * size)[:size], 9.0
        for _ in range(4):
            began = time.process_time()
            render_markdown(source)
            best = min(best, time.process_time() - began)
        return best

    gc.disable()  # its own cost grows with everything else the test process holds
    try:
        short, long = seconds(5_000), seconds(20_000)
    finally:
        gc.enable()
    assert long <= max(0.02, short * 9)  # four times the text: 16 would be quadratic
    assert long < 1.5
