def prefixes(text):
    found = []
    for i in range(len(text) + 1):
        found.append(text[:i])
        if text[i] == "-":
            break
    return found
