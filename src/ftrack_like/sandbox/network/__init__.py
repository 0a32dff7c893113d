"""What guards the sandbox as a server on a network: connections, hosts, origins, failed log-ins.

:mod:`.settings` holds the options. :mod:`.connections` and :mod:`.protocols` bound the
connections, :mod:`.gate` checks where a request is addressed to and which page sends it, and
:mod:`.throttle` bounds attempts with wrong keys.
"""
