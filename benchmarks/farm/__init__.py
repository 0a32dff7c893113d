"""Measure what a farm costs the server: many worker processes that start at once.

``python -m benchmarks.farm`` starts a sandbox and, for each way to run the client, as many worker
processes as the machine stands. Every worker starts a session at the same moment, reads a scene,
publishes components and reports a job. The benchmark counts requests and bytes at the sockets of
the workers, looks for lost and duplicate entities, and computes the load of a larger farm.

- ``wire``: counts requests and bytes at the sockets of a process, for any client.
- ``worker``: one worker process, written against the public API with the module as an argument.
- ``storm``: starts the workers together and collects their counts.
- ``site``: the server, its data, and the check for lost and duplicate entities.
- ``figures``: sums, growth and the calculation for a larger farm.
- ``table``: the same as text.
"""
