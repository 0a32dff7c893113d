"""Where the sandbox keeps its rows, and how queries read them."""
