"""Private modules of the lowest layer. Every other part of the library may use them.

At run time they import nothing of the library but each other.
"""
