from datetime import datetime


def inside(start, deadline):
    now = datetime.now()
    late = now > deadline
    return late or now > start
