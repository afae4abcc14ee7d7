"""The Lambda functions of the self-healing workflow, one folder each; `core` is what several share."""
