"""Half an hour at a steady rate: whatever is not data must not grow."""
