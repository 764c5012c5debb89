"""A PBX simulated: what is wished, reports to a file, reports to a daemon and what it answered."""
