"""Zena: project management for construction and engineering firms that runs its own runbook."""

__version__ = "0.1.0"
