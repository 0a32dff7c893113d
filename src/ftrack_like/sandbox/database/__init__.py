"""The database: connections, turns to write, deadlines, faults, SQL for both dialects."""
