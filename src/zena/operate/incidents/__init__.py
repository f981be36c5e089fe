"""Incidents: what was wrong, since when, why, what was done, and how it ended."""
