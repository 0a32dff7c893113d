"""The formats that client and sandbox share. Nothing in this package does input or output."""
