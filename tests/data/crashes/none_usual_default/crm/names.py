def full(person):
    return " ".join([person["first"], (person["middle"] or "").strip(), person["last"]])


def initials(person):
    middle = person["middle"].strip()[:1]
    return (person["first"][:1] + middle + person["last"][:1]).upper()
