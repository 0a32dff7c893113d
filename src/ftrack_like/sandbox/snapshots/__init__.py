"""Snapshots: one file with the data of a site, written while the sandbox runs."""
