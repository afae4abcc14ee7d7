def top(scores, count):
    """Names of the best, best first."""
    names = list(scores)
    ranked = names.sort(key=lambda name: scores[name], reverse=True)
    return ranked[:count]
