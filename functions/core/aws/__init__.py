"""The edge to AWS that handlers share: settings, telemetry, console addresses, the handlers' wrapper."""
