"""Events of the sandbox: the broker that routes them, and its connection to the network."""
