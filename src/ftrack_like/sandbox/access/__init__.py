"""The permission model.

A user has security roles, each for all open projects or for named ones. A role allows certain
actions in its projects. Two tables describe the model:

- :mod:`.roles`: the actions that each role allows.
- :mod:`.places`: the project or the users to which the rows of each database table belong.

:mod:`.rights` reads the roles and projects of a user. Queries use the model through
:mod:`.visibility`, which makes SQL conditions. Changes use it through
:mod:`ftrack_like.sandbox.actions.permissions`, which checks each operation of a batch.
"""
