"""What a rule does: its steps, one module for each word that steers what is done.

A module whose ``CONTROL`` describes such a word makes a deed of it: from the step in which
it stands, where that stands, and the ``Steps`` that read it.  It is found by its place in
this folder.  The verbs of actions are all read by ``actions``.
"""
