"""Four environments with the incident in each, their traffic and jobs, and the releases that come to them."""
