"""One file per row of the table of bars (DESIGN: speed to reach)."""
