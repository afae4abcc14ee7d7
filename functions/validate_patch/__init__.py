"""ValidatePatch: proves a proposed patch in the sandbox, gate by gate, and keeps the evidence."""
