"""Attempts on other firms: noted beside the request, found out by a worker, recorded where they came from."""
