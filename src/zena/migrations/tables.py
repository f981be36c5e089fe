"""All tables of all slices, for migrations only."""

import importlib
import importlib.util

from zena.kit.db import Base

SLICES = ("accounts", "work", "insight")

for _slice in SLICES:
    if importlib.util.find_spec(f"zena.{_slice}.models"):
        importlib.import_module(f"zena.{_slice}.models")

metadata = Base.metadata
