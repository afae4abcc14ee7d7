"""Messages to people: mails and channels."""
