"""The data of a fresh site as Python values. The documentation generates its lists from here.

Entries have names. Their ids are computed from the names, except for ids that are the same on
every site.
"""
