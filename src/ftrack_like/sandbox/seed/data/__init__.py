"""What a fresh site holds, as plain data; the documentation lists it from here.

Rows are known by their names; their ids follow from them, but for those that are the same on
every site.
"""
