"""All settings: the rooms' sections together, and the only place that reads the environment."""

from gatepost.settings.data_dir import ensure_secret_key, generated_secret_file, make_data_dir
from gatepost.settings.model import Environment, Settings, secret_files, variables
from gatepost.settings.names import unknown_names
from gatepost.settings.refusals import Refusal, must_run, refusals, require_extras

__all__ = [
    "Environment",
    "Refusal",
    "Settings",
    "ensure_secret_key",
    "generated_secret_file",
    "make_data_dir",
    "must_run",
    "refusals",
    "require_extras",
    "secret_files",
    "unknown_names",
    "variables",
]
