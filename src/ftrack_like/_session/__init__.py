"""The collaborators of a session: each does one thing and knows the session alone."""
