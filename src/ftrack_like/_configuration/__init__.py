"""The settings of sessions: arguments, environment variables, and the profiles of a user.

A *profile* is a name for a server address, a user and an API key. Each user has one TOML file with
profiles. :mod:`ftrack_like._configuration.credentials` decides which source a session uses.
"""
