"""Accessors read and write the data of a location."""
