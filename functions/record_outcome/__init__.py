"""RecordOutcome: writes how a heal ended to the incident, and tells the team."""
