"""A server that speaks ftrack's protocol, to develop and test against without a site.

Start one from the command line with ``python -m ftrack_like.sandbox``, or inside a program
with :class:`ftrack_like.sandbox.server.SandboxServer`.
"""
