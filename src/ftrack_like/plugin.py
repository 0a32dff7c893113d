"""Plugins: Python files in folders, each with a function ``register`` that is called once."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import logging
import os
import stat
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like._base.paths import check_path
from ftrack_like.logging import LazyLogMessage as L

if TYPE_CHECKING:
    from ftrack_like._base.types import PathText

__all__ = ["Discovery", "discover", "load_source"]

#: The logger for loaded plugins. It is not the logger for failures in :func:`discover`, because
#: programs count the records of that logger.
_loaded = logging.getLogger("ftrack_like.plugins")


class Discovery(NamedTuple):
    """How many plugins were *loaded* and registered, and how many files *failed*."""

    loaded: int = 0
    failed: int = 0


def load_source(modname: str, filename: str) -> ModuleType:
    """Load the Python source file *filename* as a module with the name *modname*; return it.

    The file may have any name and suffix. The module is not added to ``sys.modules``.
    """
    loader = importlib.machinery.SourceFileLoader(modname, str(filename))
    module = importlib.util.module_from_spec(_specify(modname, loader))
    loader.exec_module(module)
    return module


def _specify(
    name: str, loader: importlib.machinery.SourceFileLoader
) -> importlib.machinery.ModuleSpec:
    specification = importlib.util.spec_from_file_location(name, loader.path, loader=loader)
    if specification is None:
        raise ImportError(f"Cannot load {loader.path} as a module.")
    return specification


def discover(
    paths: Iterable[Any],
    positional_arguments: Optional[Sequence[Any]] = None,
    keyword_arguments: Optional[Mapping[str, Any]] = None,
) -> Discovery:
    """Load each plugin in the folders *paths* and call its ``register`` function; count them.

    The folders and their sub-folders are searched in the given order. Within a folder, plugins are
    sorted by name. Missing folders are ignored. ``register`` is called with as many of
    *positional_arguments* and *keyword_arguments* as its signature accepts. If it does not accept
    all arguments, a warning is logged.

    Each loaded plugin is logged with its path at the level INFO.

    If a plugin cannot be loaded or its ``register`` fails, this is logged: a warning, and a debug
    record with the trace. The other plugins are still loaded.
    """
    logger = logging.getLogger(f"{__name__}.discover")
    loaded = failed = 0
    positional, keywords = tuple(positional_arguments or ()), dict(keyword_arguments or {})
    for path in paths:
        try:
            module_paths = list(_module_paths(path))
        except (TypeError, ValueError) as error:  # The path is invalid.
            logger.warning(L("Failed to search {0!r} for plugins: {1}", path, error))
            continue
        for module_path in module_paths:
            _warn_of_permissions(module_path, logger)
            try:
                if _load_plugin(module_path, positional, keywords, logger):
                    loaded += 1
                    _loaded.info(L('Loaded plugin "{0}".', module_path))
                else:
                    failed += 1
            except (Exception, SystemExit) as error:
                # A plugin that calls sys.exit must not end the program that loads it.
                failed += 1
                logger.warning(
                    L('Failed to load plugin from "{0}": {1}', module_path, _summary(error))
                )
                logger.debug(traceback.format_exc())
    return Discovery(loaded, failed)


def _module_paths(path: PathText) -> Iterator[str]:
    """Yield the paths of the Python files in the folder *path* and its sub-folders."""
    check_path(os.fsdecode(path))
    for folder, folder_names, file_names in os.walk(path):
        folder_names.sort()
        for name in sorted(file_names):
            if os.path.splitext(name)[1] == ".py":
                yield os.path.join(folder, name)


def _warn_of_permissions(module_path: str, logger: logging.Logger) -> None:
    """Log a warning if every user may change the plugin at *module_path*."""
    if os.name == "nt":
        return  # On Windows the mode does not contain the permissions.
    try:
        mode = os.stat(module_path).st_mode
    except OSError:
        return  # Loading the plugin raises the error.
    if mode & stat.S_IWOTH:
        logger.warning(
            L("Every user can change the plugin {0}: remove the right to write.", module_path)
        )


def _load_plugin(
    module_path: str, positional: tuple[Any, ...], keywords: dict[str, Any], logger: logging.Logger
) -> bool:
    """Load the plugin at *module_path* and call ``register``; return False if that is missing."""
    module = _load_unique(module_path)
    register = getattr(module, "register", None)
    if register is None:
        logger.warning(
            L(
                'Failed to load plugin without a function "register" at the module level: {0}',
                module_path,
            )
        )
        return False
    arguments, options = _trim(register, positional, keywords)
    register(*arguments, **options)
    if len(arguments) < len(positional) or len(options) < len(keywords):
        logger.warning(
            L(
                "Passed fewer arguments than given, to fit the register function of plugin {0}.",
                module_path,
            )
        )
    return True


def _load_unique(module_path: str) -> ModuleType:
    """Load the plugin at *module_path* as a module with a unique name; return the module."""
    name = os.urandom(16).hex()
    loader = importlib.machinery.SourceFileLoader(name, module_path)
    module = importlib.util.module_from_spec(_specify(name, loader))
    # Data classes and pickle look up the module of a class in sys.modules.
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _trim(
    register: Callable[..., Any], positional: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments that the signature of *register* accepts."""
    import inspect  # lazy: needed only with plugins

    try:
        parameters = inspect.signature(register).parameters.values()
    except ValueError:  # A function in C may have no signature.
        return positional, keywords
    kinds = {parameter.kind for parameter in parameters}
    places = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        positional = positional[: len(places)]
    filled = {parameter.name for parameter in places[: len(positional)]}
    named = {
        parameter.name
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds
    options = {
        name: value
        for name, value in keywords.items()
        if name not in filled and (takes_any or name in named)
    }
    return positional, options


def _summary(error: BaseException) -> str:
    """Return the text of *error*, or its class name if the text is empty."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    return str(error) or type(error).__name__
