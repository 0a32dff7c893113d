"""Events: what happened, who wants to know, and the hub that carries the news."""
