def plus(count):
    return count + "1"
