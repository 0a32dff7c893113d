"""Files and media of the sandbox: the data of components, thumbnails and encoding.

``store`` keeps the data on disk, ``signing`` makes the short-lived addresses by which clients
upload, ``images`` scales thumbnails, ``ffmpeg`` finds and drives the encoder, ``encoding``
is the queue of encode jobs, ``routes`` is what stands under ``/component``.
"""
