def decode(data):
    return data.decode("utf-8")
