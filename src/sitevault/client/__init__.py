"""The other end of the wire: sends events to a collector, over HTTP, until each one has an answer."""
