"""Structures: rules that decide the path of the data of an entity in a location."""
