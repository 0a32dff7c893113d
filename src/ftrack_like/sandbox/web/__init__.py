"""The pages of the sandbox, for people with a browser.

``pages`` fills templates and guards them, ``reading`` finds data, ``tokens`` are what browsers
keep. Then a module for each page, with others beside it that bear its name: ``review`` for
invitees, ``widgets`` for programs that embed them, ``browse``, ``log_in`` and ``outbox`` for
whoever runs the sandbox. What a page changes goes through the same
operations as a client's request, so that the same rules hold and events follow.
"""
