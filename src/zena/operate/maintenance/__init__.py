"""Closing the installation, or switching changes off, and opening it again."""
