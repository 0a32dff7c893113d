"""Files and media of the sandbox: the data of components, thumbnails and encoding.

``store`` keeps the data on disk, ``signing`` makes the short-lived addresses by which clients
upload, ``images`` scales thumbnails, ``plan`` says what an encoding makes, ``jobs`` is the queue of
encodings, ``routes`` is what stands under ``/component``.
"""
