"""Every setting of the installation, typed and checked at start. A leaf: it imports nothing of ours."""

from zena.settings.keys import Key, KeyRing, add_keys, load_backup_keys, load_keys
from zena.settings.load import load_settings
from zena.settings.model import Environment, Role, Settings
from zena.settings.problems import Problem, SettingsError

__all__ = [
    "Environment",
    "Key",
    "KeyRing",
    "Problem",
    "Role",
    "Settings",
    "SettingsError",
    "add_keys",
    "load_backup_keys",
    "load_keys",
    "load_settings",
]
