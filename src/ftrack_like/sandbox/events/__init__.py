"""Events of the sandbox: the broker that routes them, and what brings them over the network."""
