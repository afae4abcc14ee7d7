def pairs(left, right):
    return [(left[i], right[i]) for i in range(len(left))]
