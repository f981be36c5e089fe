"""Symptoms that are watched, the incidents they open, and what happened in each."""

from zena.migrations.fences import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0012_symptoms.sql")
