def pair(left, right):
    return left["a"].name + right["b"].name if right["a"] else left["a"].name + right["a"].name
