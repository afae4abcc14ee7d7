THEME = {"primary_colour": "#336699", "accent_colour": "#cc3300", "font": "sans"}


def primary():
    return THEME["primary_color"]
