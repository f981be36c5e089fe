"""What was measured, read back: per route, statement, cache family and job, for any window."""
