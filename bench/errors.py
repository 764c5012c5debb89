"""The one exception of the bench."""


class BenchError(Exception):
    """Something broke, so there is no figure.  ``str()`` is for the person who ran it.

    A figure that misses its target is not an error.
    """
