"""Why each rule fires for an event, or does not: all of its tests, by the code that decides."""
