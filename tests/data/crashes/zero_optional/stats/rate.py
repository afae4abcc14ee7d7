def success_rate(outcomes: list[bool]) -> float | None:
    passed = len([o for o in outcomes if o])
    return 100 * passed / len(outcomes)
