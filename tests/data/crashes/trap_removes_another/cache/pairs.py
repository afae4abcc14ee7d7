def drop(pairs):
    for left in pairs:
        right = pairs[left]
        pairs.pop(right)
