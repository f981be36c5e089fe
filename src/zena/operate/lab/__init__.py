"""Faults put into an installation that exists for it, to see whether what watches finds them and says why."""
