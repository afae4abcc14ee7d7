def first_line(path):
    try:
        source = open(path)
        return source.readline().strip()
    finally:
        source.close()
