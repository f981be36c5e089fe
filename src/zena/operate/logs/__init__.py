"""Log lines read back, and errors grouped by what they have in common."""
