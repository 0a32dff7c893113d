"""The rez package of ftrack-like: the client, its dependencies and the command.

``rez build --install`` in this folder installs it. The package has no compiled parts, so one
install serves every platform and every Python from 3.9 on.
"""

name = "ftrack_like"

version = "0.2.0"

authors = ["The ftrack-like contributors"]

description = "A client for the ftrack production tracking API, with a sandbox to develop against."

requires = ["python-3.9+"]

tools = ["ftrack-like"]

build_command = "python {root}/build.py {install}"

tests = {"import": "python -c 'import ftrack_like.session'"}


def commands():
    """Put the client and the command into the environment."""
    # After the paths of the application, whose versions of the dependencies come first.
    env.PYTHONPATH.append("{root}/python")  # noqa: F821  rez provides the name
    env.PATH.append("{root}/python/bin")  # noqa: F821
