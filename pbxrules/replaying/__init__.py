"""Events that came in once, through rules as they are now: on their own time, sending nothing."""
