"""Webhooks: requests to the address of an automation, when entities change.

An ``Automation`` has ``Trigger`` rows, whose filters select changes, and ``WebhookAction`` rows,
whose addresses receive the selected changes. The parts, in the order of the data:

1. :mod:`.rules` validates new and changed rows, with :mod:`.filters` and :mod:`.targets`.
2. Before a commit, :mod:`.selection` makes an event of each change (:mod:`.events`), and compares
   it with the filters. The selected events go to the table of :mod:`.queue`, in the transaction
   of the change.
3. After the commit, :mod:`.deliveries` sends them on threads of their own (:mod:`.sending`), and
   writes ``ActionLog`` rows.

:mod:`.service` connects the parts with the rest of the server.
"""
