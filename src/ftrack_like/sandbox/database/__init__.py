"""The database: connections, the lock for writers, deadlines, errors, and SQL constructs."""
