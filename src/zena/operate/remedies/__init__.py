"""Remedies: what can be done against a cause, planned in plain words, done once, and measured afterwards."""
