"""The database tables, which are made from the schema, and the values in their columns."""
