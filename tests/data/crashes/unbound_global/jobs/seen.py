handled = 0


def record():
    handled += 1
    return handled
