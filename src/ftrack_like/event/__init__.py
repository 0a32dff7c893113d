"""Events, subscriptions to them, and the hub that passes them on."""

from __future__ import annotations

from ftrack_like._base.lazy_modules import modules_on_demand

__getattr__, __dir__ = modules_on_demand(
    __name__, ("base", "expression", "hub", "subscriber", "subscription")
)
