"""What a rule asks of an event: its triggers and its conditions, one module for each kind.

A module whose ``KEYS`` names words of a condition gives their meaning: from what stands
behind the word, where that stands, and the rule's ``Reader``, to what must hold.  It is
found by its place in this folder.
"""
