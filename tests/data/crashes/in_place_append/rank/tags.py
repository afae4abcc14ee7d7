def tag(tags, new):
    tags = tags.append(new)
    text = ""
    for name in tags:
        text += name + " "
    return text.strip()
