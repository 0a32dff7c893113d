"""A client for the ftrack production tracking API."""
