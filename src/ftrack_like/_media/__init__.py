"""Turn media into files that browsers play. The client and the sandbox share this package.

:mod:`.pipeline` makes the files of one encoding, with ffmpeg. :mod:`.reading` runs in a child
process and reads what a file contains, with PyAV and Pillow. The caller decides how programs run
(:mod:`.programs`): the sandbox runs them with limits, and the client without.
"""
