"""FetchSource: fetches the deployed revision once and keeps it as an archive: later steps need no forge."""
