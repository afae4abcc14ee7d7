def position(text, wanted):
    i = 0
    while i <= len(text):
        if text[i] == wanted:
            return i
        i += 1
    return -1
