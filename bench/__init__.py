"""What Sitevault costs and carries, measured against references on one server in one run."""
