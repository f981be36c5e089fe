"""Promises that no single room can keep alone, tried on the whole application."""
