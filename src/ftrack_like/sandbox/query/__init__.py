"""Answering queries: from a tree of the query language to SQL, and from rows to records."""
