"""Passwords: how they are kept, and which are refused."""

from zena.accounts.passwords.hashing import Verdict, hash_password, verify_password
from zena.accounts.passwords.rules import MAX_BYTES, MIN_LENGTH, check_new_password, fits

__all__ = ["MAX_BYTES", "MIN_LENGTH", "Verdict", "check_new_password", "fits", "hash_password", "verify_password"]
