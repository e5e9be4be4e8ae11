"""What is said about a bundle before anybody deploys it: of its text, and of the database it was tried on."""
