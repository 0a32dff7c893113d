"""The tables, made from the schema, and the values in their columns."""
