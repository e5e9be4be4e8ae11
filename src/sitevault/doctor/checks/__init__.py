"""The checks, one per file; a check is a plain function over the snapshot."""
