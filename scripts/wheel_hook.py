"""Refuse to build a wheel that lacks the front-end packages: it would install well and draw dead pages."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class VendorHook(BuildHookInterface[Any]):
    """Called by hatchling before each build; an editable install may still lack them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        if version != "editable" and not Path(self.root, "src/zena/web/static/vendor/manifest.json").is_file():
            raise RuntimeError("src/zena/web/static/vendor is missing: build with `make wheel`")
