"""The commands, one module each.

A module ``NAME.py`` has the command ``NAME`` under that name, and ``PLACE``, a number: the help
lists them in the order of a day's work.  Each imports what it needs only as it runs, so that
``--help`` comes at once.
"""
