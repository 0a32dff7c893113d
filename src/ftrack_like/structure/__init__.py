"""Structures: rules that say where in a location the data of an entity belongs."""
