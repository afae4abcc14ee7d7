def subject(kind, number, items):
    return kind.title() + " #" + number + " (" + f"{items} items)"
