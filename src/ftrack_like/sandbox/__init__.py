"""A server that speaks ftrack's protocol, for development and tests without a site.

Start it from the command line with ``python -m ftrack_like.sandbox``, or in a program with
:class:`ftrack_like.sandbox.server.SandboxServer`.
"""
