"""The version of the distribution. A test compares it with ``pyproject.toml``."""

__version__ = "0.2.0"
