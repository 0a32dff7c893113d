"""The sandbox's database: tables, queries, permissions and the data of a fresh site."""
