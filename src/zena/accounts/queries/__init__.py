"""Reads of this slice. Each takes whom it reads for, and repeats the tenant although the database fences it."""
