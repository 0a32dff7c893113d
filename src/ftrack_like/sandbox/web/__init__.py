"""The web pages of the sandbox.

All pages use three modules: ``pages`` renders templates and checks requests, ``reading`` runs
queries, and ``tokens`` makes the signed values of cookies. The other modules contain the pages:

- ``review`` and the modules named ``review_…``: the review page for invitees.
- ``widgets``: pages that other programs embed.
- ``browse``, ``log_in`` and ``outbox``: pages for the users of the sandbox.

Pages read and write with the same operations as a client's requests. The server therefore
applies the same rules, and publishes the same events.
"""
