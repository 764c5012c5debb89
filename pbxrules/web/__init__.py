"""The HTTP side: reports of the PBX come in here."""
