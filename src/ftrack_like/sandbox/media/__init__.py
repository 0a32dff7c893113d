"""Files and media of the sandbox: the data of components, thumbnails and encoding.

``store`` keeps the data on disk, ``signing`` makes the signed addresses for uploads, ``images``
scales thumbnails, ``plan`` chooses the outputs of an encoding, ``jobs`` is the queue of encodings,
and ``routes`` handles the addresses below ``/component``.
"""
