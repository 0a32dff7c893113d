"""What client and server say to each other, as values: no sockets, files, clocks or threads."""
