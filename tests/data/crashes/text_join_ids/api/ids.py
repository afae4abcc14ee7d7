def query(ids):
    return "ids=" + ",".join(i for i in ids if i)
