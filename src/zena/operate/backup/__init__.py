"""Backups: written, restored into a database of their own before they count, kept, and put back."""
