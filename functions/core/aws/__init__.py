"""The edge to AWS that handlers share: settings, telemetry, addresses in the console, the handlers' wrapper."""
