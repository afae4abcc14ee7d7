def stamp(row):
    return f"{date.year}-{date.month}: {row}"
