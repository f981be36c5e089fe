"""House rules that no general linter knows. Each rule carries a good and a bad sample, and the tests feed it both."""

from scripts.lints.access import SESSION_GET
from scripts.lints.comments import REASONS
from scripts.lints.framework import FUTURE_ANNOTATIONS, MARKUP, ROUTE_CACHE
from scripts.lints.imports import FACADE, NETWORK, UNSAFE_LOADERS
from scripts.lints.rule import Rule
from scripts.lints.sql import SESSION_SETTING, SQL_LITERAL
from scripts.lints.timing import CLOCK, WAITS

RULES: tuple[Rule, ...] = (
    SQL_LITERAL,
    SESSION_SETTING,
    SESSION_GET,
    ROUTE_CACHE,
    MARKUP,
    FUTURE_ANNOTATIONS,
    NETWORK,
    UNSAFE_LOADERS,
    FACADE,
    CLOCK,
    WAITS,
    REASONS,
)
