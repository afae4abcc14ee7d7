def badge(person):
    name = person.get("name")
    return name.upper()
