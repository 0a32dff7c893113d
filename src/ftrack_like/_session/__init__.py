"""The parts of a session. Each part does one job and refers only to the session."""
