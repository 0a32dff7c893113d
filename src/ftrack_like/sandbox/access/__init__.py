"""Who may do what: security roles, what they allow, and where things belong.

:mod:`.roles` is the table of what each role allows, :mod:`.places` the table of what belongs to
which project or user, and :mod:`.rights` what one user has of both. Reading is narrowed by
:mod:`ftrack_like.sandbox.access.visibility`, writing by
:mod:`ftrack_like.sandbox.actions.permissions`.
"""
