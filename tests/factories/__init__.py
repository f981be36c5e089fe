"""Objects for tests, made through the database as the app role with the tenant set: as real as the product's own."""

from tests.factories.firms import Caller, Firm, make_firm

__all__ = ["Caller", "Firm", "make_firm"]
