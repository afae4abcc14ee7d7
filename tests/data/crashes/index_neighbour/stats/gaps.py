def gaps(times):
    """Seconds between neighbouring events."""
    found = []
    for i in range(len(times)):
        found.append(times[i + 1] - times[i])
    return found
