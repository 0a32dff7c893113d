"""Entities: the base classes of the classes that a session creates from the schemas."""
