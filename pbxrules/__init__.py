"""Rules for an IP-PBX: when a phone rings, something in the building happens."""

__version__ = "0.1.0"
