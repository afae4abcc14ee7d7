"""decide_approval: the page where a human reads the evidence and decides, behind a function URL."""
