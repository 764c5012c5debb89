"""Tests of rules, ``*.test.yaml``: read, run on a virtual clock, judged by the daemon's code."""
