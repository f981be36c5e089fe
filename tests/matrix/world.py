"""The world one row is tried in: a firm furnished by every slice, and another firm whose owner tries the same ids."""

import importlib
import importlib.util
from dataclasses import dataclass

from tests.factories import Firm, make_firm
from tests.matrix import Row
from zena.kit.state import State

MATRICES = ("matrix.shells", "accounts.matrix", "work.matrix", "work.matrix_pages", "insight.matrix", "operate.matrix")


@dataclass(slots=True)
class Furnished:
    """Ids by path parameter name, as strings; slices add more names for bodies."""

    firm: Firm
    stranger: Firm
    ids: dict[str, str]


def slice_matrices() -> list[object]:
    """Return the matrix modules that exist: each has ROWS, and may have `async furnish(state, firm) -> dict`."""
    names = [f"tests.{name}" for name in MATRICES]
    return [importlib.import_module(name) for name in names if _exists(name)]


def all_rows() -> list[Row]:
    return [row for module in slice_matrices() for row in rows_of(module)]


def rows_of(module: object) -> list[Row]:
    rows: list[Row] = vars(module)["ROWS"]
    return rows


async def furnish(state: State, row: Row | None = None) -> Furnished:
    """Make a world for all rows, or for one: of what the slices before its own and its own make."""
    world = Furnished(await make_firm(state.db), await make_firm(state.db), {})
    for module in slice_matrices():
        if hasattr(module, "furnish"):
            world.ids |= await module.furnish(state, world.firm)
        if row in rows_of(module):
            break
    return world


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
