"""Private modules about the values of entities: references, custom attributes, query literals.

Collections, attributes and the layers above use them.
"""
