"""Memoisation: remember the results of a function by its arguments."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol, TypeVar

from ftrack_like.cache.base import MemoryCache
from ftrack_like.cache.keys import ObjectKeyMaker

_Function = TypeVar("_Function", bound=Callable[..., Any])

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value
    from ftrack_like.cache.base import Cache
    from ftrack_like.cache.keys import KeyMaker

    class Decorator(Protocol):
        """A decorator that keeps the signature of a function."""

        def __call__(self, function: _Function, /) -> _Function:
            """Return *function*, decorated."""


__all__ = ["Memoiser", "memoise", "memoise_decorator", "memoiser"]


class Memoiser:
    """Calls functions and caches their results.

    Exceptions are not cached.
    """

    def __init__(
        self,
        cache: Optional[Cache] = None,
        key_maker: Optional[KeyMaker] = None,
        return_copies: bool = True,
    ) -> None:
        """Initialise with a *cache* and a *key_maker*.

        They default to a :class:`~ftrack_like.cache.MemoryCache` and an
        :class:`~ftrack_like.cache.ObjectKeyMaker`. With *return_copies* each caller gets a deep
        copy of the result, so that a change to it does not change the cached result.
        """
        self.cache: Cache = MemoryCache() if cache is None else cache
        self.key_maker: KeyMaker = ObjectKeyMaker() if key_maker is None else key_maker
        self.return_copies: bool = return_copies

    def call(
        self,
        function: Callable[..., Any],
        args: Optional[Sequence[Any]] = None,
        kw: Optional[Mapping[str, Any]] = None,
    ) -> Value:
        """Return the result of ``function(*args, **kw)``, from the cache if possible.

        The key consists of the function and the values of its parameters by name. So the result is
        the same whether an argument is passed by position, by name or as a default.
        """
        args = () if args is None else tuple(args)
        kw = {} if kw is None else dict(kw)
        key = self.key_maker.key(function, _arguments(function, args, kw))
        found, result = self._recall(key)
        if not found:
            result = function(*args, **kw)
            self.cache.set(key, result)
        return copy.deepcopy(result) if self.return_copies else result

    def _recall(self, key: Key) -> tuple[bool, Any]:
        """Return True and the cached value under *key*, or False and None."""
        try:
            return True, self.cache.get(key)
        except KeyError:
            return False, None


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kw: dict[str, Any]
) -> dict[str, Any]:
    """Return the values of the parameters of *function* by name for a call with *args* and *kw*."""
    if isinstance(function, types.MethodType):
        # Treat the instance as an argument: two instances must not share results.
        return _arguments(function.__func__, (function.__self__, *args), kw)
    import inspect  # lazy: needed only for memoisation

    try:
        signature = inspect.signature(function)
    except ValueError:  # Some built-in functions have no signature.
        return {"args": list(args), "kw": kw}
    bound = signature.bind(*args, **kw)
    bound.apply_defaults()
    return dict(bound.arguments)


def memoise_decorator(memoiser: Memoiser) -> Decorator:
    """Return a decorator that calls functions and methods through *memoiser*."""

    def decorate(function: _Function) -> _Function:
        @functools.wraps(function)
        def call_memoised(*args: Value, **kw: Value) -> Value:
            return memoiser.call(function, args, kw)

        return call_memoised  # type: ignore[return-value]  # wraps keeps the signature

    return decorate


#: The memoiser of :func:`memoise`.
memoiser: Memoiser = Memoiser()

#: Decorate a function or method to cache its results in :data:`memoiser`.
memoise: Decorator = memoise_decorator(memoiser)
