"""The version of the distribution; ``pyproject.toml`` says the same (a test compares them)."""

__version__ = "0.2.0"
