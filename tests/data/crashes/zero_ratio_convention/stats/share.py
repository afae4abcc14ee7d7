def share(part, whole):
    return part / whole if whole else 0.0


def growth(now, before):
    change = (now - before) / before
    return f"{change:+.0%}"
