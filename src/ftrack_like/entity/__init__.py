"""Entities: what the classes made from the schemas are built on."""
