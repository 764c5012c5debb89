"""Figures of pbxrules beside what people use instead; ``python -m bench`` prints them.

Three contestants get the same reports on the same machine, in turns:

* ``tornado``: a bare Tornado handler that compares three fields and publishes
  with paho at QoS 1.  It has no disk: what it knows, a crash takes.
* ``webhook``: Debian's ``webhook``, which runs ``mosquitto_pub`` for each report.
* ``pbxrules``: the daemon, with 1,000 rules of which one matches.

What counts is what a subscriber of a real mosquitto received, never what was
answered.  The machine is small and others use it, so every figure is a median
of rounds in which the contestants take turns, and every ratio is taken within
a round before the median is.
"""
