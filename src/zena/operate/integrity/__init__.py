"""Whether the data is what it claims to be: rows, counters, files, indexes, the audit chain, the fences."""
