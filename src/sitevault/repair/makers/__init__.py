"""What can be mended, one kind per file: from a finding to the actions of a plan."""
