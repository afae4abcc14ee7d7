def between(start, end):
    return end - start
