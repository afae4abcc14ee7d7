def third(line):
    parts = line.split(";")
    return parts[2]
