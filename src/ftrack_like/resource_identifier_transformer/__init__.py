"""Transformers convert resource identifiers between a location and the server."""
