"""The operator's settings: tutela.toml with the environment over it. Rooms own the classes of its sections."""

from tutela.deployment.settings.model import Settings, default_home
from tutela.deployment.settings.service import load_settings
from tutela.foundation.options import SettingsError

__all__ = ["Settings", "SettingsError", "check", "default_home", "load_settings", "model", "source", "template"]
