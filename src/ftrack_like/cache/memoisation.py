"""Memoisation: remember what a function returned for the arguments it was given."""

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
    from ftrack_like._types import Key, Value
    from ftrack_like.cache.base import Cache
    from ftrack_like.cache.keys import KeyMaker

    class Decorator(Protocol):
        """A decorator that keeps the signature of a function."""

        def __call__(self, function: _Function, /) -> _Function:
            """Return *function*, decorated."""


__all__ = ["Memoiser", "memoise", "memoise_decorator", "memoiser"]


class Memoiser:
    """Call functions through a cache.

    A call that raises is not remembered.
    """

    def __init__(
        self,
        cache: Optional[Cache] = None,
        key_maker: Optional[KeyMaker] = None,
        return_copies: bool = True,
    ) -> None:
        """Initialise with a *cache* and a *key_maker*.

        They default to a :class:`~ftrack_like.cache.MemoryCache` and an
        :class:`~ftrack_like.cache.ObjectKeyMaker`. With *return_copies* every caller gets a deep
        copy, so that changing it leaves what the cache holds alone.
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
        """Return what *function* returns for the positional *args* and the keywords *kw*.

        The key is made from the function and the mapping of its parameters' names to values, so
        an argument counts the same whether given by position, by name or by default.
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
        """Return whether something is remembered under *key*, and what."""
        try:
            return True, self.cache.get(key)
        except KeyError:
            return False, None


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kw: dict[str, Any]
) -> dict[str, Any]:
    """Return the values that the parameters of *function* get from *args* and *kw*, by name."""
    if isinstance(function, types.MethodType):
        # The instance is an argument like others: two of them must not share what is remembered.
        return _arguments(function.__func__, (function.__self__, *args), kw)
    import inspect  # lazy: only who memoises pays for it

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


#: The memoiser that is shared by all users of :func:`memoise`.
memoiser: Memoiser = Memoiser()

#: Decorate a function or method so that its results are remembered in :data:`memoiser`.
memoise: Decorator = memoise_decorator(memoiser)
