def header(extra=None):
    columns = ["id", "name"]
    for column in extra:
        columns.append(column)
    return ",".join(columns)
