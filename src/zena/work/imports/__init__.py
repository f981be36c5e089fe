"""Bringing a plan in from a spreadsheet: read, map columns, try, then apply as a whole or not at all."""
