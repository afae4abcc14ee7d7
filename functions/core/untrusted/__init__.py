"""Text by strangers: secrets masked, nothing hidden in it, and nothing that comes alive where it is shown."""
