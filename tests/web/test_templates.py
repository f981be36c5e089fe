"""The parts as they are drawn: escaped, named for readers, with what was typed when a form comes back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError, nodes

from tests.web.stage.stage import Stage
from zena.kit.errors import Conflict, FieldError, Invalid
from zena.kit.i18n import N_
from zena.kit.templates import Renderer, hue, initials
from zena.kit.view import FormState, View, bind, unbind

EVIL = '"><img src=x onerror=alert(1)>'
SOURCE = Path(__file__).parents[2] / "src/zena"
TEMPLATES = sorted(SOURCE.glob("*/templates/**/*.html"))


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def draw(stage: Stage, text: str, view: View | None = None, **context: object) -> str:
    """Draw a template given as text, through the stage's own environment."""
    imports = '{% import "ui/parts.html" as ui %}{% import "ui/blocks.html" as box %}{% import "ui/forms.html" as f %}'
    template = stage.renderer.env.from_string(imports + text)
    token = bind(view or stage.view("/here"))
    try:
        return template.render(context)
    finally:
        unbind(token)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ui.tag(evil) }}",
        "{{ ui.face(evil) }}",
        "{{ ui.key(evil, evil) }}",
        "{{ ui.button(evil, attrs={'data-x': evil}) }}",
        "{{ ui.notice(evil) }}",
        "{{ ui.copy(evil, evil) }}",
        "{{ box.empty(evil, evil) }}",
        "{{ box.kpi(evil, evil, evil, evil) }}",
        "{{ box.tabs([(evil, evil)], evil, evil) }}",
        "{{ f.field('name', evil, evil, hint=evil, placeholder=evil) }}",
        "{{ f.textarea('name', evil, evil) }}",
        "{{ f.select('name', evil, [(evil, evil)], evil) }}",
        "{{ f.inline('/x', 'name', evil, evil) }}",
        "{{ _('%(name)s', name=evil) }}",
    ],
)
def test_whatever_is_shown_is_inert(stage: Stage, text: str) -> None:
    assert "<img" not in draw(stage, text, evil=EVIL)


def test_a_forgotten_variable_is_an_error_not_a_gap(stage: Stage) -> None:
    with pytest.raises(UndefinedError):
        draw(stage, "{{ ui.tag(nothing) }}")


def refused(stage: Stage, problem: Invalid | Conflict, name: str | None = None) -> View:
    view = stage.view("/here")
    view.refused = FormState(problem, {"name": EVIL, "password": "hunter2"}, name)
    return view


FORM = (
    "{% call f.form('/x') %}{{ f.field('name', 'Name') }}{{ f.field('password', 'P', type='password') }}{% endcall %}"
)


def test_a_refused_form_shows_what_was_typed_and_why(stage: Stage) -> None:
    view = refused(stage, Invalid([FieldError("name", "x", N_("Too short")), FieldError("gone", "x", "Elsewhere")]))
    html = draw(stage, FORM, view)
    assert 'value="&#34;&gt;&lt;img' in html
    assert re.search(r'aria-invalid="true" aria-describedby="f-name-error"', html)
    assert '<p class="error" id="f-name-error">Too short</p>' in html
    assert html.index("Elsewhere") < html.index("Too short"), "what no field shows stands on top"
    assert "hunter2" not in html


def test_a_conflict_is_told_on_top(stage: Stage) -> None:
    assert "Somebody changed this" in draw(stage, FORM, refused(stage, Conflict("Somebody changed this")))


def test_another_form_of_the_page_is_left_alone(stage: Stage) -> None:
    html = draw(stage, FORM, refused(stage, Invalid.field("name", "Too short"), "invite"))
    assert "Too short" not in html
    assert "img" not in html


def test_a_dialog_opens_when_its_form_was_refused(stage: Stage) -> None:
    text = "{% call box.dialog('invite', 'Invite') %}{% call f.form('/x', name='invite') %}-{% endcall %}{% endcall %}"
    assert "data-open" in draw(stage, text, refused(stage, Invalid.field("email", "Wrong"), "invite"))
    assert "data-open" not in draw(stage, text)


def test_post_forms_carry_the_token_and_get_forms_do_not(stage: Stage) -> None:
    assert '<input type="hidden" name="_token" value="token">' in draw(stage, FORM)
    assert "_token" not in draw(stage, "{% call f.form('/x', method='get') %}-{% endcall %}")


def test_a_live_region_names_its_channels_and_where_it_stands(stage: Stage) -> None:
    html = draw(stage, "<p{{ box.live(['tasks', 'dashboard']) }}>", stage.view("/here", "a=1&b=2"))
    tenant = "00000000-0000-0000-0000-000000000007"
    assert f'data-live="tenant:{tenant}:tasks tenant:{tenant}:dashboard"' in html
    assert 'data-live-url="/here?a=1&amp;b=2" data-live-position="5"' in html


def test_people_have_steady_hues_and_initials() -> None:
    assert hue("an") == hue("an")
    assert 0 <= hue("x") < 12
    assert [initials(name) for name in ("Nguyễn Văn An", "Madonna", " x ")] == ["NA", "MA", "X"]


def test_what_is_drawn_once_is_drawn_in_each_language(stage: Stage) -> None:
    drawn = '{{ once("layout/words.html") }}'
    for _ in range(2):
        for locale, word in (("en", "Undo"), ("vi", "Hoàn tác")):
            assert json.loads(draw(stage, drawn, stage.view("/here", locale=locale)))["undo"] == word


ONCE = sorted(
    {name for path in TEMPLATES for name in re.findall(r'once\("([^"]+)"\)', path.read_text(encoding="utf-8"))}
)


@pytest.mark.parametrize("name", ONCE)
def test_what_is_drawn_once_shows_nothing_of_the_page(name: str, stage: Stage) -> None:
    source = (SOURCE / "web/templates" / name).read_text(encoding="utf-8")
    found = stage.renderer.env.parse(source)
    made = {node.name for node in found.find_all(nodes.Name) if node.ctx in {"store", "param"}}
    made |= {macro.name for macro in found.find_all(nodes.Macro)}
    assert {node.name for node in found.find_all(nodes.Name)} - made <= {"_"}


def test_one_name_in_two_folders_is_refused(tmp_path: Path, stage: Stage) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.html").write_text("x")
    with pytest.raises(ValueError, match=r"same\.html"):
        Renderer([tmp_path / "a", tmp_path / "b"], stage.renderer.assets)


def calls(path: Path, stage: Stage) -> Iterator[tuple[str, nodes.Call]]:
    tree = stage.renderer.env.parse(path.read_text(encoding="utf-8"))
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in {"_", "gettext", "ngettext"}:
            yield path.name, call


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_gettext_is_given_literals_only(path: Path, stage: Stage) -> None:
    """A variable there would be taken for markup of ours, and no catalog could know it."""
    for name, call in calls(path, stage):
        assert isinstance(call.args[0], nodes.Const), f"{name}:{call.lineno}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_every_icon_that_is_named_is_drawn(path: Path) -> None:
    sprite = set(re.findall(r'<symbol id="([\w-]+)"', (SOURCE / "web/static/icons/sprite.svg").read_text()))
    named = re.findall(r'\bicon\("([\w-]+)"|icon_name="([\w-]+)"', path.read_text(encoding="utf-8"))
    assert {one or other for one, other in named} <= sprite
