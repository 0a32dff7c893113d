"""Disturb a server on purpose, and watch its requests. Only tests use this.

- ``faults``: what can go wrong, and which requests it hits.
- ``chaos``: faults at random, from a seed.
- ``requests``: requests in words.
- ``switchboard``: the object that a test holds.
- ``interceptor``: the layer around the application that carries faults out.

A server has this layer only if its owner asks for it in the same process or on the command line. No
request over the network can reach the object.
"""
