"""From testing to production without faith: one bundle, rehearsed, approved, applied, observed, undone exactly."""
