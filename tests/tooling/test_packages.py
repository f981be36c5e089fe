"""Imports and declared packages are compared both ways."""

from scripts.packages import canonical, compare

OWNERS = {"jwt": ["PyJWT"], "yaml": ["PyYAML"]}


def test_what_is_imported_must_be_declared() -> None:
    assert list(compare(["json", "zena", "yaml"], ["pyyaml>=6,<7"], [], OWNERS)) == []
    [line] = compare(["yaml", "jwt"], ["PyYAML"], [], OWNERS)
    assert "jwt is imported" in line


def test_what_is_declared_must_be_imported() -> None:
    [line] = compare(["yaml"], ["PyYAML", "pyjwt[crypto]>=2"], [], OWNERS)
    assert "pyjwt is a dependency" in line


def test_an_extra_may_be_imported_and_need_not_be() -> None:
    assert list(compare(["jwt"], [], ["pyjwt", "PyYAML"], OWNERS)) == []


def test_names_are_compared_as_registries_do() -> None:
    assert canonical("SQLAlchemy[asyncio]==2.1.*") == "sqlalchemy"
    assert canonical("uuid_utils>=0.12 ; python_version < '4'") == "uuid-utils"
