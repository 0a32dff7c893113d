"""Transformers of resource identifiers on their way to and from the server."""
