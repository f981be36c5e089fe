"""The layer in front of everything: refuses what no route of ours could want, before anything is decoded."""

from zena.kit.guard.layer import Guard
from zena.kit.guard.rules import GuardRules, UploadPath

__all__ = ["Guard", "GuardRules", "UploadPath"]
