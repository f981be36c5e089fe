"""Every setting of the installation, typed and checked at start. A leaf: it imports nothing of ours."""

from zena.settings.env_file import data_dir, read_file, without_settings
from zena.settings.keys import Key, KeyRing, add_keys, load_backup_keys, load_keys, new_line, retire_key, rotate_ring
from zena.settings.live_ring import LiveRing
from zena.settings.load import load_settings
from zena.settings.model import Environment, Role, Settings
from zena.settings.problems import Problem, SettingsError

__all__ = [
    "Environment",
    "Key",
    "KeyRing",
    "LiveRing",
    "Problem",
    "Role",
    "Settings",
    "SettingsError",
    "add_keys",
    "data_dir",
    "load_backup_keys",
    "load_keys",
    "load_settings",
    "new_line",
    "read_file",
    "retire_key",
    "rotate_ring",
    "without_settings",
]
