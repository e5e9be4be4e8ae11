"""What is wrong in this database, with proof, and the repair: checks over one read-only snapshot."""
