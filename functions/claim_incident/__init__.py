"""ClaimIncident: takes the incident for one execution, so that no error is healed twice at a time."""
