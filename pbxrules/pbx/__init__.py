"""The wire families: a report of a PBX becomes an `Event`."""
