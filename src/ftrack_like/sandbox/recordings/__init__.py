"""Record what clients and a server say to each other, and play the recording back to tests.

::

    from ftrack_like.sandbox.recordings.recorder import Recorder
    from ftrack_like.sandbox.recordings.replay import Replay

    with Recorder("https://studio.example", "site.json") as recorder:
        ...  # run a program with server_url=recorder.server_url

    with Replay("site.json") as replay:
        ...  # run the same program with server_url=replay.server_url, without the site
"""
