"""An app's source: archives of it, which file a frame lies in, and which Python runs it."""
