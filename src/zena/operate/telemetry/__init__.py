"""Measuring: what each process counts, how it reaches the database, and what survives when that is gone."""
