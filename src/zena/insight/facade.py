"""What other slices may use of insight: how its figures are kept."""

from zena.insight.kpis import CLEARED, FAMILIES, LIFE, NAMES, stored_name

__all__ = ["CLEARED", "FAMILIES", "LIFE", "NAMES", "stored_name"]
