"""Rotating the installation's keys, and what is sealed under each."""
