"""Computed values kept for a while: always by tenant, family, version and the tenant's date, never stale."""

from zena.kit.cache.cache import Cache, Cached
from zena.kit.cache.stats import Reason

__all__ = ["Cache", "Cached", "Reason"]
