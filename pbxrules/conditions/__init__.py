"""What can be asked of an event: one module for each kind of test."""
