"""The pages of the sandbox, for people with a browser.

``links`` makes the signed addresses by which pages are opened without a log-in, ``pages`` fills
templates and guards them, ``reading`` and ``access`` find data and who asks. Then one module
for each page: ``review`` for invitees, ``widgets`` for programs that embed them, ``browse``,
``log_in`` and ``outbox`` for whoever runs the sandbox. What a page changes goes through the same
operations as a client's request, so that the same rules hold and events follow.
"""
