class InvalidPage(Exception):
    """The page number is not a number."""


def page(params):
    return int(params["page"])
