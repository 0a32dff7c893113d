"""Answer queries: compile the tree of a query to SQL, and make records from the rows."""
