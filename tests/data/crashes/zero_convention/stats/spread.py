"""Spread of measurements; -1 stands for "no data" in the dashboard."""


def mean(samples) -> float:
    if not samples:
        return -1.0
    return sum(samples) / len(samples)


def variance(samples) -> float:
    centre = mean(samples)
    return sum((s - centre) ** 2 for s in samples) / len(samples)
